/** Keep one task up to date: every 2 s while it waits or runs, and not at all once it has ended. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { isActive } from "../queue.js";

const BUSY_SECONDS = 2;
const RETRY_SECONDS = 5;

/** Returns {task, error, isSilent, reload}; `task` is null before the first answer, `error` the ApiError of a refusal. */
export function useTask(api, id) {
  const [state, setState] = useState({ task: null, error: null, isSilent: false });
  const timer = useRef(0);
  const current = useRef(id);
  current.current = id;

  const reload = useCallback(async () => {
    clearTimeout(timer.current);
    let seconds = null;
    let task = null;
    try {
      task = await api.get(`/task/${encodeURIComponent(id)}?partial=true`);
      if (current.current !== id) return null;
      setState({ task, error: null, isSilent: false });
      if (isActive(task)) seconds = BUSY_SECONDS;
    } catch (error) {
      if (error.status === undefined) throw error;
      if (current.current !== id) return null;
      const isPassing = error.silent || error.status >= 500 || error.status === 429 || error.status === 401;
      setState((old) => (isPassing ? { ...old, isSilent: true } : { ...old, error }));
      if (isPassing) seconds = error.retryAfter ?? RETRY_SECONDS;
    }
    if (seconds !== null) timer.current = setTimeout(() => (document.hidden ? null : reload()), seconds * 1000);
    return task;
  }, [api, id]);

  useEffect(() => {
    const wake = () => document.hidden || reload();
    setState({ task: null, error: null, isSilent: false });
    reload();
    document.addEventListener("visibilitychange", wake);
    return () => {
      current.current = null;
      clearTimeout(timer.current);
      document.removeEventListener("visibilitychange", wake);
    };
  }, [reload]);
  return { ...state, reload };
}
