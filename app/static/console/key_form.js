/** Ask for the API key, and exchange it for a cookie: links and players cannot send headers. */
import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "./api.js";
import { html } from "./html.js";
import { texts } from "./texts.js";

export function KeyForm({ onKey }) {
  const [problem, show] = useState(null);
  const field = useRef(null);
  useEffect(() => {
    document.title = texts.title(texts.key.title);
    field.current.focus();
  }, []);
  const send = async (event) => {
    event.preventDefault();
    try {
      await api.send("POST", "/console/session", { key: field.current.value.trim() });
    } catch (error) {
      if (error.status === undefined) throw error;
      show(error.status === 401 ? texts.key.wrong : error.message);
      field.current.focus();
      return;
    }
    onKey();
  };
  return html`<form class="panel narrow" onSubmit=${send} novalidate>
    <h1>${texts.key.title}</h1>
    <p>${texts.key.text}</p>
    <label class="field">
      <span>${texts.key.label}</span>
      <input ref=${field} type="password" autocomplete="current-password" aria-invalid=${problem ? "true" : undefined}
        aria-describedby="key-problem" />
    </label>
    <p id="key-problem" class="problem" role="alert">${problem}</p>
    <p class="buttons"><button type="submit" class="primary">${texts.key.send}</button></p>
  </form>`;
}
