/** How many unsure words are marked, and buttons that go to them. */
import { html } from "../html.js";
import { taskTexts as texts } from "../texts_task.js";
import { LEVELS } from "./unsure.js";

export function UnsureBar({ level, count, choose, step }) {
  return html`<div class="unsure">
    <label>${texts.unsure} <select value=${level} onChange=${(event) => choose(event.currentTarget.value)}>
      ${Object.keys(LEVELS).map((name) => html`<option key=${name} value=${name}>${texts.unsureLevels[name]}</option>`)}
    </select></label>
    <span class="count">${level === "off" ? "" : count}</span>
    <button type="button" class="slim" aria-label=${texts.previousUnsure} disabled=${!count}
      onClick=${() => step(-1)}>↑</button>
    <button type="button" class="slim" aria-label=${texts.nextUnsure} disabled=${!count}
      onClick=${() => step(1)}>↓</button>
  </div>`;
}
