/** Ask once before recordings are deleted. */
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { texts } from "./texts.js";

export function ConfirmDelete({ count, isRunning, onYes, onNo }) {
  return html`<${Dialog} title=${texts.confirm.title(count)} onClose=${onNo}>
    <p>${texts.confirm.text} ${isRunning && texts.confirm.running}</p>
    <p class="buttons">
      <button type="button" class="danger" onClick=${onYes}>${texts.confirm.yes(count)}</button>
      <button type="button" onClick=${onNo}>${texts.confirm.no}</button>
    </p>
  <//>`;
}
