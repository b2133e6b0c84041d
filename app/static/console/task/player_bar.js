/** The player: buttons, time, slider, waveform. It stays at the upper edge while the text scrolls. */
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { taskTexts as texts } from "../texts_task.js";
import { clock } from "../words.js";
import { coveredHeight } from "./follow.js";
import { Mount } from "./mount.js";
import { RATES, STEP } from "./player.js";
import { openFile } from "./recording.js";
import { sayTime } from "./say_time.js";
import { drawWaveform } from "./waveform.js";

const HEIGHT = 56;

function Waveform({ player, waveform, duration }) {
  const host = useRef(null);
  useEffect(
    () => drawWaveform(host.current, { waveform, duration, media: player.media, height: HEIGHT, withTimes: true }),
    [waveform, player],
  );
  return html`<div class="wave" aria-hidden="true" ref=${host}></div>`;
}

/** Keep what gets the focus out from under the sticky player. */
function useScrollPadding(bar) {
  useEffect(() => {
    const { style } = document.documentElement;
    const watcher = new ResizeObserver(() => (style.scrollPaddingTop = `${coveredHeight() + 8}px`));
    for (const part of [bar.current, bar.current.querySelector(".controls")]) watcher.observe(part);
    return () => {
      watcher.disconnect();
      style.scrollPaddingTop = "";
    };
  }, []);
}

/** What plays, and what to do where nothing does. */
function Source({ player, task, source }) {
  const [problem, setProblem] = useState(null);
  const choose = async (event) => {
    const [file] = event.currentTarget.files;
    event.currentTarget.value = "";
    const found = file && (await openFile(player, task, file));
    if (!found) setProblem(null);
    else if (found.wrong === "type") setProblem(texts.wrongType);
    else setProblem(texts.wrongLength(clock(found.length), clock(task.audio_duration)));
  };
  const sentence = texts.sources[source];
  if (!sentence) return null;
  const canChoose = ["gone", "missing", "unplayable"].includes(source);
  return html`<div class="source">
    <p>${sentence}</p>
    ${canChoose && html`<label class="choose">${texts.chooseFile}
      <input type="file" accept="audio/*,video/*" onChange=${choose} /></label>`}
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </div>`;
}

export function PlayerBar({ player, task, waveform, nameAt, follow, setFollow, children }) {
  const { time, duration, isPlaying, rate, source } = useStore(player.store);
  const whole = duration || task.audio_duration || 0;
  const canPlay = ["server", "file", "copy"].includes(source);
  const bar = useRef(null);
  useScrollPadding(bar);
  const rates = RATES.includes(rate) ? RATES : [...RATES, rate].sort((one, other) => one - other);
  return html`<section class="player-bar" ref=${bar} aria-label=${texts.player}>
    <${Mount} class="picture" node=${player.media} />
    <div class="controls">
      <button type="button" class="play" aria-label=${isPlaying ? texts.pause : texts.play} disabled=${!canPlay}
        onClick=${player.toggle}>${isPlaying ? "❚❚" : "▶"}</button>
      <span class="time-now">${clock(time)} / ${clock(whole)}</span>
      <input type="range" class="position" min="0" max=${whole || 1} step="0.1" value=${time} disabled=${!canPlay}
        aria-label=${texts.position} aria-valuetext=${texts.positionIs(sayTime(time), sayTime(whole), nameAt?.(time))}
        onInput=${(event) => player.seek(Number(event.currentTarget.value))} />
      <button type="button" aria-label=${texts.backward(STEP)} title=${texts.backward(STEP)} disabled=${!canPlay}
        onClick=${() => player.skip(-STEP)}>⟲ ${STEP}</button>
      <button type="button" aria-label=${texts.forward(STEP)} title=${texts.forward(STEP)} disabled=${!canPlay}
        onClick=${() => player.skip(STEP)}>${STEP} ⟳</button>
      <label class="speed"><span class="visually-hidden">${texts.speed}</span>
        <select value=${String(rate)} onChange=${(event) => player.setRate(Number(event.currentTarget.value))}>
          ${rates.map((each) => html`<option key=${each} value=${String(each)}>${each}×</option>`)}
        </select></label>
      ${setFollow && html`<label class="follow"><input type="checkbox" checked=${follow}
        onChange=${(event) => setFollow(event.currentTarget.checked)} /> ${texts.follow}</label>`}
    </div>
    <${Source} player=${player} task=${task} source=${source} />
    ${waveform && html`<${Waveform} player=${player} waveform=${waveform} duration=${whole} />`}
    ${children}
  </section>`;
}
