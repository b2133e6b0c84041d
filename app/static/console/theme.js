/** Light or dark: as the system says, unless a person has chosen. */
import { useState } from "preact/hooks";
import { html } from "./html.js";
import { recall, remember } from "./memory.js";
import { texts } from "./texts.js";

const CHOICES = ["system", "light", "dark"];

export function applyTheme(choice = recall("theme", "system")) {
  document.documentElement.dataset.theme = CHOICES.includes(choice) ? choice : "system";
}

export function ThemeSwitch() {
  const [choice, choose] = useState(document.documentElement.dataset.theme);
  const change = (event) => {
    const chosen = event.currentTarget.value;
    remember("theme", chosen);
    applyTheme(chosen);
    choose(chosen);
  };
  return html`<label class="theme">
    <span class="visually-hidden">${texts.theme.label}</span>
    <select value=${choice} onChange=${change}>
      ${CHOICES.map((name) => html`<option key=${name} value=${name}>${texts.theme[name]}</option>`)}
    </select>
  </label>`;
}
