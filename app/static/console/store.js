/** A value that several components show: each change draws them again. */
import { useEffect, useState } from "preact/hooks";

export function makeStore(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      value = typeof next === "function" ? next(value) : next;
      for (const listener of listeners) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function useStore(store) {
  const [value, show] = useState(store.get());
  useEffect(() => {
    show(store.get()); // it may have changed between the first drawing and this effect
    return store.subscribe(show);
  }, [store]);
  return value;
}
