/** Where a task stands: waiting, its stage, or why it ended without a result. */
import { html } from "../html.js";
import { nameOf, stageOf } from "../queue.js";
import { texts as shared } from "../texts.js";
import { taskTexts as texts } from "../texts_task.js";

const SHOWN_FROM = 0.05; // before, an estimate says little

export function Progress({ task }) {
  const { status, progress, eta_seconds: eta } = task;
  if (status === "QUEUED") {
    const words = task.stage ? stageOf(task) : shared.row.waiting(task.queue_position);
    return html`<p>${[words, eta !== null && shared.row.endsIn(eta)].filter(Boolean).join(" · ")}</p>`;
  }
  if (status === "IN_PROGRESS") {
    const facts = [shared.row.percent(Math.floor(progress * 100)), eta !== null && progress >= SHOWN_FROM && shared.row.eta(eta)];
    return html`<div class="stage">
      <p><strong>${stageOf(task)}</strong> ${facts.filter(Boolean).join(" · ")}</p>
      <progress value=${progress} max="1" aria-label=${shared.row.progress(nameOf(task))}></progress>
    </div>`;
  }
  if (status === "FAILED") return html`<p class="problem">${task.error} ${shared.next[task.error_code]}</p>`;
  return status === "CANCELLED" ? html`<p>${texts.cancelled}</p>` : null;
}

export function Notes({ warnings }) {
  if (!warnings?.length) return null;
  return html`<details class="notes">
    <summary>${shared.row.notes(warnings.length)}</summary>
    <ul>${warnings.map((warning) => html`<li key=${warning}>${warning}</li>`)}</ul>
  </details>`;
}
