/** The help, which any page opens, and the switch for single keys. */
import { useState } from "preact/hooks";
import { Dialog } from "./dialog.js";
import { html } from "./html.js";
import { recall, remember } from "./memory.js";
import { makeStore, useStore } from "./store.js";
import { texts } from "./texts.js";

const isShown = makeStore(false);

export function openHelp() {
  isShown.set(true);
}

/** Whether single keys work in a transcript; WCAG 2.1.4 asks for a way to switch them off. */
export function usesSingleKeys() {
  return recall("keys", true) !== false;
}

export function Help() {
  const shown = useStore(isShown);
  return shown ? html`<${HelpDialog} />` : null;
}

function HelpDialog() {
  const [usesKeys, useKeys] = useState(usesSingleKeys());
  const change = ({ currentTarget }) => {
    remember("keys", currentTarget.checked);
    useKeys(currentTarget.checked);
  };
  const close = () => isShown.set(false);
  return html`<${Dialog} title=${texts.help.title} onClose=${close}>
    <ol class="steps">${texts.help.steps.map((step) => html`<li>${step}</li>`)}</ol>
    <h3>${texts.help.keysTitle}</h3>
    <p>
      <label class="check">
        <input type="checkbox" checked=${usesKeys} onChange=${change} /> ${texts.help.keysSwitch}
      </label>
    </p>
    <p class="quiet">${texts.help.keysHint}</p>
    <dl class="keys">
      ${texts.help.keys.map(([key, use]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${use}</dd></div>`)}
    </dl>
    <p class="buttons"><button type="button" onClick=${close}>${texts.close}</button></p>
  <//>`;
}
