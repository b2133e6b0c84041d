/** Take the times of words over from a task that has aligned this text. */
import { isActive } from "../queue.js";

const POLL_SECONDS = 1;
const RETRY_SECONDS = 5;

/** Wait until a task has ended, and return it; null once `isWanted()` is false. */
export async function waitForEnd(api, id, isWanted) {
  while (isWanted()) {
    let seconds = POLL_SECONDS;
    try {
      const task = await api.get(`/task/${id}`);
      if (!isActive(task)) return task;
    } catch (error) {
      const isPassing = error.silent || error.status >= 500 || error.status === 429;
      if (!isPassing) throw error;
      seconds = error.retryAfter ?? RETRY_SECONDS;
    }
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
  return null;
}

/**
 * List the edits that give corrected segments the words of `timed`, where the text is still the same and a time differs.
 * A corrected segment has no tokens; the others keep the times that the models found. The server accepts times between
 * the neighbours of a segment; `duration` (seconds) bounds the last one.
 */
export function listTimings(segments, timed, duration) {
  const found = new Map(timed.map((segment) => [segment.id, segment]));
  return segments.flatMap((segment, place) => {
    const { text, words } = found.get(segment.id) ?? {};
    if (segment.tokens?.length || text?.trim() !== segment.text.trim() || !words?.length) return [];
    const least = Math.min(segment.start, segments[place - 1]?.end ?? 0);
    const most = Math.max(segment.end, segments[place + 1]?.start ?? duration);
    const fitted = fit(words, least, most);
    return isSame(fitted, segment.words ?? []) ? [] : [{ segment: segment.id, text: segment.text, words: fitted }];
  });
}

function fit(words, least, most) {
  let earliest = least;
  return words.map(({ word, start, end, probability }) => {
    const begin = Math.min(Math.max(start, earliest), most);
    earliest = begin;
    return { word, start: begin, end: Math.min(Math.max(end, begin), most), probability };
  });
}

function isSame(words, others) {
  const isAt = ({ start, end }, other) => start === other.start && end === other.end;
  return words.length === others.length && words.every((word, place) => isAt(word, others[place]));
}
