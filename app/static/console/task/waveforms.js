/** Ask the server for the peaks of a recording. */
import { useEffect, useState } from "preact/hooks";

const ABSENT = [404, 409, 410]; // not made, not yet, or removed: the player works without

/** Peaks of the task's recording, or of its stem `file`; null until they are there, or if there are none. */
export function useWaveform(api, task, file = null) {
  const [waveform, setWaveform] = useState(null);
  const isGone = Boolean(task.files_purged_at);
  useEffect(() => {
    if (isGone) return undefined;
    const controller = new AbortController();
    const query = file ? `?file=${encodeURIComponent(file)}` : "";
    api.get(`/task/${task.identifier}/waveform${query}`, { signal: controller.signal }).then(
      (answer) => answer.data?.length > 0 && setWaveform(answer),
      (error) => {
        if (error.name !== "AbortError" && !ABSENT.includes(error.status) && !error.silent) throw error;
      },
    );
    return () => controller.abort();
  }, [task.identifier, task.status, isGone, file]);
  return waveform;
}
