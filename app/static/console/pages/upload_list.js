/** The recordings that this tab is about to send, or sends. */
import { useRef } from "preact/hooks";
import { html } from "../html.js";
import { useKeptFocus } from "../kept_focus.js";
import { texts } from "../texts.js";
import { remove, retry } from "../uploads.js";
import { size } from "../words.js";

export function UploadList({ items }) {
  const list = useRef(null);
  useKeptFocus(list, () => document.getElementById("files"));
  if (!items.length) return null;
  return html`<ul ref=${list} class="uploads" aria-label=${texts.home.uploading}>
    ${items.map((item) => html`<${Upload} key=${item.key} item=${item} />`)}
  </ul>`;
}

function Upload({ item }) {
  const isStaged = item.state === "staged";
  const label = isStaged || item.state === "failed" ? texts.home.removeNamed : texts.upload.cancelNamed;
  return html`<li class=${`upload ${item.state}`}>
    <div class="upload-main">
      <span class="name" dir="auto">${item.name}</span>${" "}
      ${item.size !== null && html`<span class="quiet">${size(item.size)}</span>`}
      ${!isStaged && html`<p class=${item.state === "failed" ? "problem" : "quiet"}>${describe(item)}</p>`}
      ${item.state === "sending" && html`<progress aria-label=${texts.row.progress(item.name)} value=${item.sent} max="1" />`}
    </div>
    <div class="actions">
      ${item.state === "failed" &&
      html`<button type="button" aria-label=${texts.upload.retryNamed(item.name)} onClick=${() => retry(item.key)}>
        ${texts.upload.retry}
      </button>`}
      <button type="button" aria-label=${label(item.name)} onClick=${() => remove(item.key)}>
        ${isStaged || item.state === "failed" ? texts.home.remove : texts.upload.cancel}
      </button>
    </div>
  </li>`;
}

function describe({ state, sent, reason, url }) {
  if (state === "waiting") return texts.upload.waiting;
  if (state === "again") return texts.upload.again(reason);
  if (state === "failed") return reason;
  if (url) return texts.upload.link;
  return sent >= 1 ? texts.upload.saving : texts.upload.sending(Math.floor(sent * 100));
}
