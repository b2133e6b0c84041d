/** All recordings, with search, filter and selection. */
import { useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { useKeptFocus } from "../kept_focus.js";
import { FILTERS, queue, show, showMore } from "../queue.js";
import { useStore } from "../store.js";
import { texts } from "../texts.js";
import { Row } from "./row.js";
import { Selection } from "./selection.js";

const TYPING_MS = 300;

export function QueueList({ offer }) {
  const { tasks, hasMore, problem, filter, search } = useStore(queue);
  const [picked, pick] = useState(new Set());
  const heading = useRef(null);
  const list = useRef(null);
  useKeptFocus(list, () => heading.current);
  const selected = (tasks ?? []).filter(({ identifier }) => picked.has(identifier));
  const toggle = (id, isOn) => {
    const next = new Set(picked);
    if (isOn) next.add(id);
    else next.delete(id);
    pick(next);
  };
  return html`<section class="queue" aria-labelledby="queue-heading">
    <h2 id="queue-heading" ref=${heading} tabindex="-1">${texts.queue.heading}</h2>
    ${problem && html`<p class="banner">${problem}</p>`}
    <div class="queue-tools">
      <${Search} text=${search} />
      <${Filter} chosen=${filter} />
    </div>
    <div ref=${list}>
      ${selected.length > 0 &&
      html`<${Selection} tasks=${selected} offer=${offer} onClear=${() => pick(new Set())} />`}
      ${tasks === null && html`<p class="quiet">${problem ? "" : texts.loading}</p>`}
      ${tasks?.length === 0 && html`<${Empty} isFiltered=${filter !== "all" || search !== ""} />`}
      ${tasks?.length > 0 &&
      html`<ul class="rows">
        ${tasks.map(
          (task) => html`<${Row} key=${task.identifier} task=${task} offer=${offer}
            isSelected=${picked.has(task.identifier)} onSelect=${(isOn) => toggle(task.identifier, isOn)} />`,
        )}
      </ul>`}
      ${hasMore && html`<p><button type="button" onClick=${showMore}>${texts.queue.more}</button></p>`}
    </div>
  </section>`;
}

function Search({ text }) {
  const timer = useRef(null);
  const change = ({ currentTarget }) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => show({ search: currentTarget.value.trim() }), TYPING_MS);
  };
  return html`<label class="search">
    <span class="visually-hidden">${texts.queue.search}</span>
    <input type="search" placeholder=${texts.queue.search} defaultValue=${text} onInput=${change} />
  </label>`;
}

function Filter({ chosen }) {
  return html`<fieldset class="filter">
    <legend class="visually-hidden">${texts.queue.filter}</legend>
    ${Object.keys(FILTERS).map(
      (name) => html`<label key=${name}>
        <input class="visually-hidden" type="radio" name="filter" value=${name} checked=${chosen === name}
          onChange=${() => show({ filter: name })} />
        <span>${texts.queue.filters[name]}</span>
      </label>`,
    )}
  </fieldset>`;
}

function Empty({ isFiltered }) {
  if (isFiltered) return html`<p class="empty">${texts.queue.noHits}</p>`;
  return html`<div class="empty">
    <p class="empty-title">${texts.queue.empty}</p>
    <ol class="steps">${texts.queue.emptySteps.map((step) => html`<li>${step}</li>`)}</ol>
  </div>`;
}
