/** The parts of a separated recording: hear one at a time, download each. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { bindKeys } from "../task/keys.js";
import { makeLanes } from "../task/lanes.js";
import { drawPeaks } from "../task/peaks.js";
import { STEP } from "../task/player.js";
import { PlayerBar } from "../task/player_bar.js";
import { useWaveform } from "../task/waveforms.js";
import { taskTexts as texts } from "../texts_task.js";
import { moment, size } from "../words.js";

/** The lanes of a task: the recording itself, and its stems. */
function listLanes(task, address) {
  const path = `/task/${task.identifier}`;
  const stems = task.result.files.map(({ name, stem, size: bytes }) => ({
    file: name, title: texts.stemNames[stem] ?? stem, bytes, address: address(`${path}/file/${encodeURIComponent(name)}`),
  }));
  return [{ file: null, title: texts.stemNames.original, bytes: null, address: address(`${path}/recording`) }, ...stems];
}

export function Stems({ task, api }) {
  const files = useMemo(() => listLanes(task, api.address), [task.identifier]);
  const isGone = Boolean(task.files_purged_at);
  if (isGone) {
    return html`<p class="notice">${texts.stemsGone(moment(task.files_purged_at))}</p>
      <${LaneList} files=${files} task=${task} api=${api} lanes=${null} />`;
  }
  return html`<${OpenStems} files=${files} task=${task} api=${api} />`;
}

function OpenStems({ files, task, api }) {
  const root = useRef(null);
  const lanes = useMemo(() => makeLanes(files), [files]);
  useStore(lanes.store);
  useEffect(() => lanes.close, [lanes]);
  useEffect(() => {
    const solos = Object.fromEntries(files.slice(0, 9).map((file, place) => [place + 1, () => lanes.hear(place)]));
    return bindKeys(root.current, {
      ...solos,
      " ": () => lanes.current().toggle(),
      ArrowLeft: () => lanes.current().skip(-STEP),
      ArrowRight: () => lanes.current().skip(STEP),
      "[": () => lanes.current().changeRate(-1),
      "]": () => lanes.current().changeRate(1),
      0: () => lanes.current().setRate(1),
      Home: () => lanes.current().seek(0),
      End: () => lanes.current().seek(lanes.current().media.duration || 0),
    });
  }, [lanes]);
  return html`<div class="stems" ref=${root}>
    <${PlayerBar} player=${lanes.current()} task=${task} />
    <${LaneList} files=${files} task=${task} api=${api} lanes=${lanes} />
    <p><a class="button" href=${api.address(`/task/file/${task.identifier}`)} download>${texts.allStems}</a></p>
  </div>`;
}

function LaneList({ files, task, api, lanes }) {
  return html`<h2>${texts.stems}</h2>
    <ol class=${`lanes${lanes ? "" : " gone"}`}>
      ${files.map((file, place) => html`<${Lane} key=${file.title} file=${file} place=${place} task=${task} api=${api}
        lanes=${lanes} />`)}
    </ol>`;
}

function Lane({ file, place, task, api, lanes }) {
  const waveform = useWaveform(api, task, file.file);
  const path = useMemo(() => waveform && drawPeaks(waveform), [waveform]);
  return html`<li>
    <div class="lane-head">
      <strong>${file.title}</strong>
      <span class="quiet">${file.bytes === null ? "" : size(file.bytes)}</span>
      ${lanes && html`<button type="button" aria-pressed=${String(lanes.store.get().heard === place)}
        onClick=${() => lanes.hear(place)}>${texts.solo} <kbd>${place + 1}</kbd></button>
        <a class="button" href=${file.address} download aria-label=${texts.downloadNamed(file.title)}>${texts.download}</a>`}
    </div>
    ${path && lanes && html`<${LaneWave} path=${path} lanes=${lanes} duration=${task.audio_duration} />`}
  </li>`;
}

function LaneWave({ path, lanes, duration }) {
  const player = lanes.current();
  const { time, duration: known } = useStore(player.store);
  const whole = known || duration || 1;
  const click = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    player.seek(((event.clientX - box.left) / box.width) * whole);
  };
  return html`<svg class="lane-wave" viewBox="0 0 800 100" preserveAspectRatio="none" aria-hidden="true" onClick=${click}>
    <path d=${path} /><rect class="cursor" x=${(800 * time) / whole} width="2" height="100" />
  </svg>`;
}
