/** Put an element that is not Preact's into a page. */
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";

export function Mount({ node, ...attributes }) {
  const host = useRef(null);
  useEffect(() => {
    host.current.append(node);
    return () => node.remove();
  }, [node]);
  return html`<div ref=${host} ...${attributes}></div>`;
}
