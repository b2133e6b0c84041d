/** What the corrections of a transcript need: undo, other people's changes, words without exact times. */
import { html } from "../html.js";
import { useStore } from "../store.js";
import { taskTexts as texts } from "../texts_task.js";

export function EditBar({ editing, lost, forgetLost, isCorrecting, undo, align }) {
  const { canUndo, isSaving, isTiming, error, meanwhile } = useStore(editing.store);
  const dismiss = () => {
    editing.dismiss();
    forgetLost();
  };
  const notes = [
    error,
    meanwhile > 0 && (isCorrecting() ? texts.meanwhile(meanwhile) : texts.meanwhileAll(meanwhile)),
    lost && texts.lostPlace(lost),
  ].filter(Boolean);
  return html`
    ${notes.length > 0 && html`<div class="notice" role="alert">
      ${notes.map((note) => html`<p key=${note}>${note}</p>`)}
      <button type="button" onClick=${dismiss}>${texts.close}</button>
    </div>`}
    ${canUndo && html`<div class="changes">
      <span>${texts.corrected}</span>
      <button type="button" disabled=${isSaving} onClick=${undo}>${texts.undo}</button>
      <button type="button" disabled=${isSaving || isTiming} title=${texts.alignHint} onClick=${align}>
        ${isTiming ? texts.timing : texts.align}
      </button>
    </div>`}`;
}
