/** A modal dialog of the browser: it keeps the focus inside, closes with Esc, and gives the focus back. */
import { useEffect, useId, useRef } from "preact/hooks";
import { html } from "./html.js";

export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  const id = useId();
  useEffect(() => {
    const opener = document.activeElement;
    const shown = dialog.current;
    shown.showModal();
    return () => {
      shown.close();
      opener?.focus(); // by now the dialog is removed, which gives the focus to nothing
    };
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose} onClick=${closeOutside}>
    <div class="dialog-body">
      <h2 id=${id}>${title}</h2>
      ${children}
    </div>
  </dialog>`;
}

/** Only the backdrop belongs to the dialog itself; everything else lies in its body. */
function closeOutside(event) {
  if (event.target === event.currentTarget) event.currentTarget.close();
}
