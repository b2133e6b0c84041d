/** Several recordings of one length, of which one is heard at a time; all share one clock. */
import { makeStore } from "../store.js";
import { makePlayer } from "./player.js";

/** `files`: [{name, address}]. The store: {heard}, the place of the one that is heard. */
export function makeLanes(files) {
  const players = files.map(({ address }) => {
    const player = makePlayer();
    player.media.preload = "auto"; // switching must not wait for the network
    player.media.src = address;
    player.store.set((old) => ({ ...old, source: "server" }));
    return player;
  });
  const store = makeStore({ heard: 0 });
  return {
    store,
    players,
    current: () => players[store.get().heard],
    /** Hear another one from the same position, at the same speed. */
    hear(place) {
      const before = players[store.get().heard];
      const next = players[place];
      if (!next || next === before) return;
      const wasPlaying = !before.media.paused;
      next.setRate(before.media.playbackRate);
      next.seek(before.media.currentTime);
      before.media.pause();
      store.set({ heard: place });
      if (wasPlaying) next.play();
    },
    close: () => players.forEach((player) => player.close()),
  };
}
