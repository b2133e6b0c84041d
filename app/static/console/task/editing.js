/** Correct the text: edits of whole segments, kept by the server as revisions beside the machine's result. */
import { makeStore } from "../store.js";
import { taskTexts as texts } from "../texts_task.js";
import { listTimings, waitForEnd } from "./retime.js";

const MEANWHILE = "edited_meanwhile";
const MOST_EDITS = 2000; // that the server accepts at once

/**
 * `getSegments()` reads what is shown, `show(segments)` shows others, `reload()` asks the server for the latest.
 * The store: {revision, canUndo, isSaving, isTiming, error, meanwhile}; `meanwhile` counts the segments that somebody else has
 * changed. Once all changes are undone, the text is that of the machine again, and nothing is left to undo.
 */
export function makeEditing({ api, id, getSegments, show, reload }) {
  const store = makeStore({
    revision: 0, canUndo: false, isSaving: false, isTiming: false, error: null, meanwhile: 0,
  });
  const change = (values) => store.set((old) => ({ ...old, ...values }));
  const path = `/task/${id}/result`;
  let isClosed = false;

  /** Put the changed segments [[identifier, segment or null], …] in their places. */
  function apply(changed) {
    const latest = new Map(changed);
    const segments = getSegments().map((segment) => (latest.has(segment.id) ? latest.get(segment.id) : segment));
    show(segments.filter(Boolean));
  }

  /** Send a change; true once it is stored. */
  async function send(method, address, body, accept) {
    change({ isSaving: true, error: null, meanwhile: 0 });
    try {
      await accept(await api.send(method, address, { revision: store.get().revision, ...body }));
      change({ isSaving: false });
      return true;
    } catch (error) {
      if (error.status === undefined) throw error;
      if (error.body.error_code === MEANWHILE) {
        await reload();
        change({ isSaving: false, meanwhile: error.body.changed.length });
      } else change({ isSaving: false, error: error.message });
      return false;
    }
  }

  /** Store edits [{segment, text, words}]; an empty text removes its segment. */
  const keep = (edits) => send("PATCH", path, { edits }, async (answer) => {
    change({ revision: answer.revision, canUndo: true });
    if (edits.some((edit) => !edit.text)) await reload(); // the segments after it have other numbers now
    else apply(answer.segments);
  });

  return {
    store,
    /** Take over the revision of a text that the server has sent. */
    async setRevision(revision) {
      if (revision === store.get().revision) return;
      change({ revision, canUndo: false });
      try {
        const { revisions } = await api.get(`/task/${id}/revisions`);
        if (store.get().revision === revision) change({ canUndo: revisions.at(-1).content > 0 });
      } catch (error) {
        if (error.status === undefined) throw error;
        change({ error: error.message });
      }
    },
    dismiss: () => change({ error: null, meanwhile: 0 }),
    keep,
    /**
     * Have the words of this text timed by a task of its own, take the times over and delete that task.
     * Returns how many segments have new times; null if that failed, or the page was left.
     */
    async align(duration) {
      change({ isTiming: true, error: null, meanwhile: 0 });
      try {
        const { identifier } = await api.send("POST", `/task/${id}/align`);
        const timed = await waitForEnd(api, identifier, () => !isClosed);
        if (!timed) return null;
        await api.send("DELETE", `/task/${identifier}`);
        if (timed.status === "COMPLETED") {
          const edits = listTimings(getSegments(), timed.result, duration);
          for (let first = 0; first < edits.length; first += MOST_EDITS) {
            if (!await keep(edits.slice(first, first + MOST_EDITS))) return null;
          }
          return edits.length;
        }
        change({ error: texts.notTimed(timed.error) });
      } catch (error) {
        if (error.status === undefined) throw error;
        change({ error: error.message });
      } finally {
        change({ isTiming: false });
      }
      return null;
    },
    /** The page is left: wait for nothing any more. */
    close() {
      isClosed = true;
    },
    /** Go back to the text before the latest change. */
    undo: () => send("POST", `${path}/undo`, {}, reload),
  };
}
