/** The keyboard of a transcript and of stems: single keys, only while the focus is in `root`. */
import { openHelp, usesSingleKeys } from "../help.js";

const FIELDS = "textarea, select, [contenteditable], input:not([type=range]):not([type=checkbox])";

/** "Shift+ArrowLeft", "U", " ": names of a key with its modifiers; null for the browser's own shortcuts. */
export function nameKey(event) {
  const isLetter = event.getModifierState("AltGraph"); // "[" needs it on some keyboards
  if (!isLetter && (event.ctrlKey || event.metaKey || event.altKey)) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.shiftKey && (event.key.length > 1 || /\p{L}/u.test(event.key)) ? `Shift+${key}` : key;
}

/** Run `commands[name](event)`; a button keeps Space and Enter for itself. Returns what removes the listener. */
export function bindKeys(root, commands) {
  const listen = (event) => {
    if (event.defaultPrevented || event.isComposing || !usesSingleKeys()) return;
    if (event.target.closest(FIELDS)) return;
    const name = nameKey(event);
    const isPress = name === " " || name === "Enter" || name === "Shift+Enter";
    if (isPress && event.target.closest("button, a, summary, input")) {
      if (!(name === " " && event.target.type === "range")) return;
    }
    const command = name === "?" ? openHelp : Object.hasOwn(commands, name ?? "") && commands[name];
    if (!command) return;
    event.preventDefault();
    command(event);
  };
  root.addEventListener("keydown", listen);
  return () => root.removeEventListener("keydown", listen);
}
