/** Sentences for screen readers, one role=status for all pages. */
import { html } from "./html.js";
import { makeStore, useStore } from "./store.js";

const HOLD_MS = 6000; // two sentences within this time are read together

const said = makeStore([]);
let timer = null;

/** Say a sentence: uploaded, next stage, finished, failed; never a percentage. */
export function announce(sentence) {
  said.set((sentences) => [...sentences, sentence].slice(-5));
  clearTimeout(timer);
  timer = setTimeout(() => said.set([]), HOLD_MS);
}

export function Announcer() {
  const sentences = useStore(said);
  return html`<div role="status" class="visually-hidden">${sentences.join(" ")}</div>`;
}
