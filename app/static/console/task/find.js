/** Find text in the transcript, and what replacing it would write. */
import { rangesAt } from "./highlights.js";
import { tidy } from "./pieces.js";

/** A pattern that finds `text` in any case; null for an empty text. */
export function buildPattern(text, isWhole) {
  const escaped = text.trim().replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/\s+/g, "\\s+");
  if (!escaped) return null;
  return new RegExp(isWhole ? `(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])` : escaped, "giu");
}

/** Hits in the rows, in order: [{row, range}]. */
export function findHits(rows, pattern) {
  if (!pattern) return [];
  return rows.flatMap((row) => {
    const places = [...row.said.textContent.matchAll(pattern)].map((hit) => [hit.index, hit.index + hit[0].length]);
    return places.length ? rangesAt(row.said, places).map((range) => ({ row, range })) : [];
  });
}

/** Edits [{segment, text}] that replace each hit. */
export function replaceHits(segments, pattern, text) {
  return segments.flatMap((segment) => {
    const replaced = segment.text.replace(pattern, () => text);
    return tidy(replaced) === tidy(segment.text) ? [] : [{ segment: segment.id, text: tidy(replaced) }];
  });
}
