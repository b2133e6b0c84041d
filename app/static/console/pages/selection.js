/** What can be done with several recordings at once. */
import { useState } from "preact/hooks";
import { announce } from "../announcer.js";
import { address } from "../api.js";
import { ConfirmDelete } from "../confirm.js";
import { Dialog } from "../dialog.js";
import { listFormats } from "../downloads.js";
import { html } from "../html.js";
import { recall, remember } from "../memory.js";
import { isActive } from "../queue.js";
import { cancelTasks, deleteTasks } from "../task_actions.js";
import { texts } from "../texts.js";

const TRANSCRIPTS = ["transcription", "alignment"];

/** The finished recordings that have files of the same formats: transcripts, or else stretches of speech. */
function listZipped(tasks) {
  const done = tasks.filter((task) => task.status === "COMPLETED");
  const transcripts = done.filter((task) => TRANSCRIPTS.includes(task.task_type));
  return transcripts.length > 0 ? transcripts : done.filter((task) => task.task_type === "vad");
}

export function Selection({ tasks, offer, onClear }) {
  const [asks, ask] = useState(null); // which dialog is open: "delete" or "zip"
  const [problem, tell] = useState(null);
  const running = tasks.filter(isActive);
  const zipped = listZipped(tasks);
  const close = () => ask(null);
  const act = async (action) => {
    close();
    const sentence = await action();
    tell(sentence);
    if (sentence) announce(sentence);
    else onClear();
  };
  return html`<div class="selection" role="group" aria-label=${texts.select.label}>
    <strong>${texts.select.heading(tasks.length)}</strong>
    <div class="actions">
      ${running.length > 0 &&
      html`<button type="button" onClick=${() => act(() => cancelTasks(running))}>${texts.select.cancel}</button>`}
      <button type="button" onClick=${() => ask("delete")}>${texts.select.remove}</button>
      ${offer && zipped.length > 0 &&
      html`<button type="button" onClick=${() => ask("zip")}>${texts.select.zip}</button>`}
      <button type="button" onClick=${onClear}>${texts.select.clear}</button>
    </div>
    ${problem && html`<p class="problem">${problem}</p>`}
    ${asks === "delete" &&
    html`<${ConfirmDelete} count=${tasks.length} isRunning=${running.length > 0} onNo=${close}
      onYes=${() => act(() => deleteTasks(tasks))} />`}
    ${asks === "zip" && html`<${ZipDialog} tasks=${zipped} offer=${offer} onClose=${close} />`}
  </div>`;
}

function ZipDialog({ tasks, offer, onClose }) {
  const formats = listFormats(tasks[0].task_type, offer.formats);
  const [wanted, want] = useState(recall("zip", ["docx", "txt"]).filter((format) => formats.includes(format)));
  const change = (format, isOn) => want(isOn ? [...wanted, format] : wanted.filter((each) => each !== format));
  const query = new URLSearchParams([
    ...tasks.map(({ identifier }) => ["task", identifier]),
    ...wanted.map((format) => ["format", format]),
  ]);
  const start = () => {
    remember("zip", wanted);
    setTimeout(onClose); // once the browser has followed the link
  };
  return html`<${Dialog} title=${texts.select.zipTitle} onClose=${onClose}>
    <p>${texts.select.zipText}</p>
    <fieldset class="formats">
      <legend class="visually-hidden">${texts.select.zipText}</legend>
      ${formats.map(
        (format) => html`<label class="check" key=${format}>
          <input type="checkbox" checked=${wanted.includes(format)}
            onChange=${({ currentTarget }) => change(format, currentTarget.checked)} />
          <span>${texts.formats[format][0]} <span class="quiet">${texts.formats[format][1]}</span></span>
        </label>`,
      )}
    </fieldset>
    <p class="buttons">
      ${wanted.length > 0
        ? html`<a class="button primary" href=${address(`/results?${query}`)} download onClick=${start}>
            ${texts.select.zipStart}
          </a>`
        : html`<button type="button" class="primary" disabled>${texts.select.zipStart}</button>`}
      <button type="button" onClick=${onClose}>${texts.close}</button>
    </p>
  <//>`;
}
