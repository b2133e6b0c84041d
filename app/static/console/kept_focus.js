/** Keep the focus on the page: what had it may go with the state it belonged to. */
import { useLayoutEffect } from "preact/hooks";

/** If what had the focus inside the element of `part` is gone after a drawing, give it to the one that `find` returns. */
export function useKeptFocus(part, find) {
  const hadFocus = part.current?.contains(document.activeElement);
  useLayoutEffect(() => {
    if (hadFocus && document.activeElement === document.body) find()?.focus();
  });
}
