/** Find in the transcript: the hits, and which of them is the current one. */
import { makeStore } from "../store.js";
import { buildPattern, findHits, replaceHits } from "./find.js";
import { paint } from "./highlights.js";

/** The store: {text, isWhole, count, place}; `place` counts from 0. `goTo(row)` shows a hit's row. */
export function makeSearch(transcript, goTo) {
  const store = makeStore({ text: "", isWhole: false, count: 0, place: 0 });
  let hits = [];

  function refresh() {
    const { text, isWhole, place } = store.get();
    hits = findHits(transcript.rows, buildPattern(text, isWhole));
    showHit(Math.min(place, Math.max(0, hits.length - 1)));
  }

  function showHit(place) {
    store.set((old) => ({ ...old, count: hits.length, place }));
    paint("found", hits.map((hit) => hit.range));
    paint("hit", hits.length ? [hits[place].range] : []);
  }

  return {
    store,
    refresh,
    /** Look for another text; the first hit is the current one. */
    look(values) {
      store.set((old) => ({ ...old, ...values, place: 0 }));
      refresh();
    },
    /** Go to the next hit, or the previous one, around the end. */
    step(by) {
      if (!hits.length) return;
      showHit((store.get().place + by + hits.length) % hits.length);
      goTo(hits[store.get().place].row);
    },
    edits(by) {
      const pattern = buildPattern(store.get().text, store.get().isWhole);
      return pattern ? replaceHits(transcript.segments, pattern, by) : [];
    },
  };
}
