/** The people of a recording: rename one, say that two are the same. */
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { taskTexts as texts } from "../texts_task.js";

function Rename({ person, others, rename, close }) {
  const [problem, setProblem] = useState(null);
  const field = useRef(null);
  useEffect(() => field.current.select(), []);
  const store = async (labels, name, sentence) => {
    try {
      await rename(labels, name, sentence);
      close();
    } catch (error) {
      if (error.status === undefined) throw error;
      const sentence = Object.values(error.fields ?? {})[0] ?? error.message;
      setProblem(sentence.replace(`${labels[0]}: `, ""));
      field.current.focus();
    }
  };
  const keep = () => {
    const name = field.current.value.trim();
    return store(person.labels, name || person.labels[0], texts.renamed(name || person.labels[0]));
  };
  const press = (event) => {
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") keep();
    else close();
  };
  const merge = (event) => {
    const other = others.find(({ name }) => name === event.currentTarget.value);
    if (other) store([...person.labels, ...other.labels], other.name, texts.merged(other.name));
  };
  return html`<span class="rename">
    <input ref=${field} type="text" maxlength="80" aria-label=${texts.nameField(person.name)} defaultValue=${person.name}
      aria-invalid=${problem ? "true" : null} aria-describedby=${problem ? "rename-problem" : null} onKeyDown=${press} />
    <button type="button" onClick=${keep}>${texts.keep}</button>
    ${others.length > 0 && html`<label>${texts.samePerson} <select value="" onChange=${merge}>
      <option value=""></option>
      ${others.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>`}
    <button type="button" onClick=${close}>${texts.leave}</button>
    ${problem && html`<span id="rename-problem" class="problem" role="alert">${problem}</span>`}
  </span>`;
}

/** `renaming` is the label of the person whose name is being edited, or null. */
export function PeopleBar({ people, rename, renaming, setRenaming, isLocked }) {
  const bar = useRef(null);
  const close = (label) => {
    setRenaming(null);
    setTimeout(() => bar.current?.querySelector(`[data-label="${CSS.escape(label)}"]`)?.focus());
  };
  const [problem, setProblem] = useState(null);
  const divide = async (person) => {
    try {
      await rename(person.labels, null, texts.divided(person.labels));
      setProblem(null);
    } catch (error) {
      if (error.status === undefined) throw error;
      setProblem(error.message);
    }
  };
  return html`<div class="people" ref=${bar}>
    <h2>${texts.people}</h2>
    <ul>${people.map((person) => html`<li key=${person.labels[0]}>
      <span class="badge" data-colour=${person.colour} aria-hidden="true">${person.initial}</span>
      ${renaming !== null && person.labels.includes(renaming)
        ? html`<${Rename} person=${person} others=${people.filter((other) => other !== person)} rename=${rename}
            close=${() => close(person.labels[0])} />`
        : html`<span class="name">${person.name}</span>
          ${!isLocked && html`<button type="button" class="slim" data-label=${person.labels[0]} title=${texts.rename(person.name)}
            aria-label=${texts.rename(person.name)} onClick=${() => setRenaming(person.labels[0])}>✎</button>`}
          ${!isLocked && person.labels.length > 1 && html`<button type="button" class="slim"
            aria-label=${texts.separate(person.name)} onClick=${() => divide(person)}>${texts.separateShort}</button>`}`}
    </li>`)}</ul>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
  </div>`;
}
