/** Take recordings: dropped, chosen, or from a link. */
import { useEffect, useRef, useState } from "preact/hooks";
import { address, hasSample } from "../api.js";
import { dropProblem, isDragging } from "../drops.js";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { texts } from "../texts.js";
import { addFiles, addLink } from "../uploads.js";

const SAMPLE = "sample conversation.flac";

export function DropZone({ isCompact }) {
  const isOver = useStore(isDragging);
  const problem = useStore(dropProblem);
  const [asksLink, askLink] = useState(false);
  const link = useRef(null);
  const closeLink = () => {
    askLink(false);
    link.current.focus();
  };
  const choose = ({ currentTarget }) => {
    dropProblem.set(null);
    if (currentTarget.files.length) addFiles(currentTarget.files);
    currentTarget.value = ""; // the same file can be chosen again
  };
  return html`
    <div class=${`drop ${isOver ? "over" : ""} ${isCompact ? "compact" : ""}`}>
      <p class="drop-title">${isOver ? texts.home.dropNow : texts.home.dropTitle}</p>
      ${!isCompact && html`<p class="quiet">${texts.home.dropHint}</p>`}
      <p class="buttons">
        <span>
          <input id="files" class="visually-hidden" type="file" multiple onChange=${choose} />
          <label for="files" class="button">${texts.home.choose}</label>
        </span>
        <button ref=${link} type="button" aria-expanded=${asksLink ? "true" : "false"} onClick=${() => askLink(!asksLink)}>
          ${texts.home.link}
        </button>
        ${hasSample && !isCompact && html`<button type="button" onClick=${addSample}>${texts.home.sample}</button>`}
      </p>
    </div>
    ${problem && html`<p class="problem">${problem}</p>`}
    ${asksLink && html`<${LinkForm} onAdded=${closeLink} />`}
  `;
}

function LinkForm({ onAdded }) {
  const field = useRef(null);
  const [problem, show] = useState(null);
  useEffect(() => field.current.focus(), []);
  const add = (event) => {
    event.preventDefault();
    const url = field.current.value.trim();
    const wrong = findWrong(url);
    if (wrong) {
      show(wrong);
      field.current.focus();
      return;
    }
    addLink(url);
    onAdded();
  };
  return html`<form class="link-form" onSubmit=${add} novalidate>
    <label class="field">
      <span>${texts.home.linkLabel}</span>
      <input ref=${field} type="url" inputmode="url" placeholder="https://"
        aria-invalid=${problem ? "true" : undefined} aria-describedby="link-problem" />
    </label>
    <button type="submit">${texts.home.linkAdd}</button>
    <p id="link-problem" class="problem" role="alert">${problem}</p>
  </form>`;
}

function findWrong(text) {
  if (!URL.canParse(text)) return texts.home.linkWrong;
  const url = new URL(text);
  if (!["http:", "https:"].includes(url.protocol)) return texts.home.linkWrong;
  return url.username || url.password ? texts.home.linkSecret : null;
}

/** Take the server's own recording as if it had been dropped. */
async function addSample() {
  let blob;
  try {
    const answer = await fetch(address("/console/sample"));
    if (!answer.ok) throw new TypeError(texts.errors.unknown(answer.status));
    blob = await answer.blob();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    dropProblem.set(texts.errors.silent);
    return;
  }
  dropProblem.set(null);
  addFiles([new File([blob], SAMPLE, { type: blob.type })]);
}
