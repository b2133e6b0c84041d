/** Find, and replace, in the transcript. */
import { useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { taskTexts as texts } from "../texts_task.js";

export function FindBar({ search, editing, canReplace, announce, back }) {
  const { text, isWhole, count, place } = useStore(search.store);
  const { isSaving } = useStore(editing.store);
  const [isReplacing, setReplacing] = useState(false);
  const by = useRef(null);
  const press = (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter") search.step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      search.look({ text: "" });
      back();
    } else return;
    event.preventDefault();
  };
  const replace = async () => {
    const edits = search.edits(by.current.value);
    if (edits.length && (await editing.keep(edits))) announce(texts.replaced(edits.length));
  };
  return html`<div class="find" role="search" aria-label=${texts.find}>
    <label>${texts.find} <input type="search" class="find-field" value=${text} onKeyDown=${press}
      onInput=${(event) => search.look({ text: event.currentTarget.value })} /></label>
    <span class="count">${text.trim() ? texts.hits(place + 1, count) : ""}</span>
    <button type="button" class="slim" aria-label=${texts.previousHit} disabled=${!count}
      onClick=${() => search.step(-1)}>↑</button>
    <button type="button" class="slim" aria-label=${texts.nextHit} disabled=${!count}
      onClick=${() => search.step(1)}>↓</button>
    ${canReplace && html`<button type="button" class="slim" aria-expanded=${String(isReplacing)}
      onClick=${() => setReplacing(!isReplacing)}>${texts.replaceOpen}</button>`}
    ${canReplace && isReplacing && html`<span class="replace">
      <label>${texts.replaceBy} <input type="text" ref=${by} /></label>
      <label><input type="checkbox" checked=${isWhole}
        onChange=${(event) => search.look({ isWhole: event.currentTarget.checked })} /> ${texts.whole}</label>
      <button type="button" disabled=${!count || isSaving} onClick=${replace}>${texts.replaceAll(count)}</button>
    </span>`}
  </div>`;
}
