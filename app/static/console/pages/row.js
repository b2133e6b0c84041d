/** One recording of the list: its state in words, and what can be done with it. */
import { useRef, useState } from "preact/hooks";
import { announce } from "../announcer.js";
import { ConfirmDelete } from "../confirm.js";
import { DownloadLinks } from "../downloads.js";
import { html } from "../html.js";
import { useKeptFocus } from "../kept_focus.js";
import { Menu } from "../menu.js";
import { isActive, nameOf, stageOf } from "../queue.js";
import { taskPath } from "../router.js";
import { cancelTask, deleteTasks, repeatTask } from "../task_actions.js";
import { texts } from "../texts.js";
import { clock, language, moment } from "../words.js";

const SHOWN_FROM = 0.05; // before, an estimate says little
const MARKS = { QUEUED: "…", IN_PROGRESS: "▸", COMPLETED: "✓", FAILED: "✗", CANCELLED: "–" };

export function Row({ task, offer, isSelected, onSelect }) {
  const name = nameOf(task);
  const title = useRef(null);
  const row = useRef(null);
  useKeptFocus(row, () => title.current);
  return html`<li ref=${row} class=${`row ${task.status.toLowerCase().replace("_", "-")}`} data-id=${task.identifier}>
    <label class="pick">
      <input type="checkbox" checked=${isSelected} onChange=${({ currentTarget }) => onSelect(currentTarget.checked)} />
      <span class="visually-hidden">${texts.select.one(name)}</span>
    </label>
    <span class="mark" aria-hidden="true">${MARKS[task.status]}</span>
    <div class="row-main">
      <a ref=${title} class="name" dir="auto" href=${taskPath(task.identifier)}>${name}</a>
      <${State} task=${task} name=${name} />
      ${task.warnings?.length > 0 && html`<${Notes} warnings=${task.warnings} />`}
    </div>
    <${Actions} task=${task} name=${name} offer=${offer} />
  </li>`;
}

function State({ task, name }) {
  const { status, progress, eta_seconds: eta } = task;
  if (status === "IN_PROGRESS") {
    const facts = [texts.row.percent(Math.floor(progress * 100)), eta !== null && progress >= SHOWN_FROM && texts.row.eta(eta)];
    return html`
      <p class="facts"><strong>${stageOf(task)}</strong> ${join(facts)}</p>
      <progress aria-label=${texts.row.progress(name)} value=${progress} max="1" />
    `;
  }
  if (status === "QUEUED") {
    const words = task.stage ? stageOf(task) : texts.row.waiting(task.queue_position);
    return html`<p class="facts">${join([words, eta !== null && texts.row.endsIn(eta)])}</p>`;
  }
  if (status === "FAILED") {
    return html`
      <p class="facts">${join([texts.row.states.FAILED, moment(task.created_at)])}</p>
      <p class="problem">${task.error} ${texts.next[task.error_code]}</p>
    `;
  }
  const facts = [
    texts.row.states[status],
    texts.row.kinds[task.task_type],
    task.audio_duration !== null && clock(task.audio_duration),
    task.language && language(task.language),
    moment(task.created_at),
  ];
  return html`<p class="facts">${join(facts)}</p>`;
}

function join(facts) {
  return facts.filter(Boolean).join(" · ");
}

function Notes({ warnings }) {
  return html`<details class="notes">
    <summary>${texts.row.notes(warnings.length)}</summary>
    <ul>${warnings.map((sentence) => html`<li>${sentence}</li>`)}</ul>
  </details>`;
}

function Actions({ task, name, offer }) {
  const [asks, ask] = useState(false);
  const [problem, tell] = useState(null);
  const act = async (action) => {
    const sentence = await action();
    tell(sentence);
    if (sentence) announce(sentence);
  };
  const remove = () => {
    ask(false);
    act(() => deleteTasks([task]));
  };
  const label = (action) => texts.row.named(action, name);
  const again = html`<button type="button" aria-label=${label(texts.row.again)} onClick=${() => act(() => repeatTask(task))}>
    ${texts.row.again}
  </button>`;
  const deletes = html`<button type="button" aria-label=${label(texts.row.remove)} onClick=${() => ask(true)}>
    ${texts.row.remove}
  </button>`;
  const isDone = task.status === "COMPLETED";
  return html`<div class="actions">
    ${isActive(task) &&
    html`<button type="button" aria-label=${label(texts.row.cancel)} onClick=${() => act(() => cancelTask(task))}>
      ${texts.row.cancel}
    </button>`}
    ${isDone &&
    html`<a class="button" href=${taskPath(task.identifier)} aria-label=${label(texts.row.open)}>
        ${texts.row.open}
      </a>
      ${offer && html`<${Menu} label=${texts.row.download} name=${label(texts.row.download)}>
        <${DownloadLinks} task=${task} offered=${offer.formats} />
      <//>`}
      <${Menu} label="⋯" hasArrow=${false} name=${label(texts.row.more)}><li>${again}</li><li>${deletes}</li><//>`}
    ${!isDone && !isActive(task) && [again, deletes]}
    ${problem && html`<p class="problem">${problem}</p>`}
    ${asks && html`<${ConfirmDelete} count=${1} isRunning=${false} onYes=${remove} onNo=${() => ask(false)} />`}
  </div>`;
}
