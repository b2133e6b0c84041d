/** A button that unfolds a list of links or buttons; Esc, a click outside and leaving it by Tab fold it again. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { html } from "./html.js";

export function Menu({ label, name, hasArrow = true, children }) {
  const [isOpen, open] = useState(false);
  const whole = useRef(null);
  const button = useRef(null);
  const id = useId();
  useEffect(() => {
    if (!isOpen) return undefined;
    const close = ({ target }) => whole.current.contains(target) || open(false);
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, [isOpen]);
  const escape = (event) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    open(false);
    button.current.focus();
  };
  const leave = ({ relatedTarget }) => {
    if (relatedTarget && !whole.current.contains(relatedTarget)) open(false);
  };
  const pick = ({ target }) => {
    if (!target.closest("a, button")) return;
    button.current.focus(); // what was picked is hidden now, and would lose it
    open(false);
  };
  return html`<div class="menu" ref=${whole} onKeyDown=${escape} onFocusOut=${leave}>
    <button ref=${button} type="button" class=${hasArrow ? "folds" : ""} aria-expanded=${isOpen ? "true" : "false"} aria-controls=${id}
      aria-label=${name} onClick=${() => open(!isOpen)}>${label}</button>
    <ul id=${id} class="menu-list" hidden=${!isOpen} onClick=${pick}>${children}</ul>
  </div>`;
}
