/** Play the recording: one media element for audio and video, and what the page shows of it. */
import { makeStore } from "../store.js";

export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
export const STEP = 3; // seconds back and forth

function ignoreInterruption(error) {
  if (error.name !== "AbortError") throw error; // paused, or another source, before it began to play
}

export function makePlayer() {
  const media = document.createElement("video"); // it plays sound, too, and is shown only when there is a picture
  media.preload = "metadata";
  media.playsInline = true;
  media.hidden = true;
  const store = makeStore({ time: 0, duration: 0, isPlaying: false, rate: 1, source: "none", hasPicture: false });
  const ticks = new Set(); // called with the time while playing, once a frame
  const change = (values) => store.set((old) => ({ ...old, ...values }));
  let frame = null;

  const tick = () => {
    for (const listener of ticks) listener(media.currentTime);
    frame = media.paused ? null : requestAnimationFrame(tick);
  };
  const show = () => change({
    time: media.currentTime,
    duration: Number.isFinite(media.duration) ? media.duration : store.get().duration,
    isPlaying: !media.paused,
    rate: media.playbackRate,
  });
  for (const name of ["timeupdate", "durationchange", "play", "pause", "ratechange", "seeked", "ended"]) {
    media.addEventListener(name, show);
  }
  media.addEventListener("play", () => (frame ??= requestAnimationFrame(tick)));
  for (const name of ["seeking", "seeked", "pause"]) media.addEventListener(name, () => frame ?? tick());
  media.addEventListener("loadedmetadata", () => {
    const hasPicture = media.videoWidth > 0;
    media.hidden = !hasPicture;
    media.controls = hasPicture; // full screen and captions
    change({ hasPicture });
  });

  const player = {
    media,
    store,
    onTick: (listener) => (ticks.add(listener), () => ticks.delete(listener)),
    hasSource: () => media.hasAttribute("src"),
    seek(time) {
      if (!player.hasSource()) return;
      media.currentTime = Math.min(Math.max(0, time), media.duration || Infinity);
      change({ time: media.currentTime });
    },
    skip: (seconds) => player.seek(media.currentTime + seconds),
    play: () => (player.hasSource() ? media.play().catch(ignoreInterruption) : undefined),
    toggle: () => (media.paused ? player.play() : media.pause()),
    playFrom(time) {
      player.seek(time);
      return player.play();
    },
    setRate(rate) {
      media.playbackRate = rate;
    },
    changeRate(step) {
      const place = RATES.findIndex((rate) => rate >= media.playbackRate);
      player.setRate(RATES[Math.min(Math.max(0, place + step), RATES.length - 1)]);
    },
    close() {
      media.pause();
      if (media.src.startsWith("blob:")) URL.revokeObjectURL(media.src);
      media.removeAttribute("src");
      media.load();
    },
  };
  return player;
}
