/** One option each: a switch, a choice, a number or a text, with its error beside it. */
import { html } from "../html.js";
import { choose } from "../options.js";
import { texts } from "../texts.js";

/** Mark a control as wrong, and name what explains it. */
function describedBy(name, error, hint) {
  const ids = [hint && `hint-${name}`, error && `error-${name}`].filter(Boolean).join(" ");
  return { id: `option-${name}`, name, "aria-invalid": error ? "true" : undefined, "aria-describedby": ids || undefined };
}

function Notes({ name, error, hint }) {
  return html`
    ${hint && html`<span id=${`hint-${name}`} class="hint">${hint}</span>`}
    ${error && html`<span id=${`error-${name}`} class="problem">${error}</span>`}
  `;
}

export function Switch({ name, label, values, usual = false, error, hint }) {
  const isOn = values[name] === undefined || values[name] === "" ? usual : values[name];
  return html`<div class="field">
    <label class="check">
      <input type="checkbox" ...${describedBy(name, error, hint)} checked=${isOn}
        onChange=${({ currentTarget }) => choose(name, currentTarget.checked)} />
      <span>${label}</span>
    </label>
    <${Notes} name=${name} error=${error} hint=${hint} />
  </div>`;
}

/** `choices` are pairs of value and words. */
export function Choice({ name, label, values, choices, usual = "", error, hint }) {
  const value = values[name];
  const known = choices.some(([each]) => each === value) ? value : usual;
  return html`<div class="field">
    <label for=${`option-${name}`}>${label}</label>
    <select ...${describedBy(name, error, hint)} value=${known}
      onChange=${({ currentTarget }) => choose(name, currentTarget.value)}>
      ${choices.map(([each, words]) => html`<option key=${each} value=${each}>${words}</option>`)}
    </select>
    <${Notes} name=${name} error=${error} hint=${hint} />
  </div>`;
}

export function Entry({ name, label, values, error, hint, type = "text", ...limits }) {
  return html`<div class="field">
    <label for=${`option-${name}`}>${label}</label>
    <input ...${describedBy(name, error, hint)} type=${type} ...${limits} value=${values[name] ?? ""} autocomplete="off"
      onInput=${({ currentTarget }) => choose(name, currentTarget.value)} />
    <${Notes} name=${name} error=${error} hint=${hint} />
  </div>`;
}

/** An option as the server describes it. */
export function ServerOption({ control, values, error }) {
  const { name, description, type, usual, least, most, longest, isWhole } = control;
  const common = { name, label: name, values, error, hint: `${description} ${limits(control)}`.trim() };
  if (type === "switch") return html`<${Switch} ...${common} usual=${usual} />`;
  if (type === "yes-no") {
    const choices = [["", texts.options.server], ["true", texts.options.yes], ["false", texts.options.no]];
    return html`<${Choice} ...${common} choices=${choices} />`;
  }
  if (type === "choice") {
    const choices = control.options.map((value) => [value, value]);
    if (usual === null) choices.unshift(["", texts.options.server]);
    return html`<${Choice} ...${common} choices=${choices} usual=${usual ?? ""} />`;
  }
  if (type === "integer" || type === "number") {
    const step = isWhole ? 1 : "any";
    return html`<${Entry} ...${common} type="number" min=${least} max=${most} step=${step} placeholder=${usual ?? ""} />`;
  }
  const shown = Array.isArray(usual) ? usual.join(",") : usual;
  return html`<${Entry} ...${common} maxlength=${longest} placeholder=${shown ?? ""} />`;
}

/** The bounds of a number in words; a bound that only a computer reaches is none. */
function limits({ type, least, most }) {
  if (type === "array") return texts.options.list;
  if (least === undefined || !["integer", "number"].includes(type)) return "";
  return most === undefined || most >= 2 ** 31 - 1 ? texts.options.atLeast(least) : texts.options.between(least, most);
}
