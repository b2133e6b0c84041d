/** What the browser remembers between visits: choices, and never a transcript. */

const PREFIX = "speech.";

/** Read a remembered value; `fallback` if there is none, or if the browser keeps nothing. */
export function recall(name, fallback) {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? fallback : JSON.parse(text);
  } catch (error) {
    // SecurityError: storage is switched off. SyntaxError: another program wrote the value.
    if (error instanceof SyntaxError || error instanceof DOMException) return fallback;
    throw error;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // full or switched off: the choice holds until the page is closed
  }
}
