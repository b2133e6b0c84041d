/** Mark the words that the model was least sure of: few, as many marks are ignored. */

export const LEVELS = {
  off: { below: 0, share: 0 },
  few: { below: 0.35, share: 0.05 },
  more: { below: 0.6, share: 0.15 },
};

/** The words below the level's probability, at most its share of all words; in the order given. */
export function chooseUnsure(words, { below, share }) {
  const candidates = words.filter((word) => word.probability != null && word.probability < below);
  const room = Math.floor(share * words.length);
  if (candidates.length <= room) return candidates;
  const lowest = [...candidates].sort((one, other) => one.probability - other.probability).slice(0, room);
  const kept = new Set(lowest);
  return candidates.filter((word) => kept.has(word));
}

/** Underline `words`, and no other word of `marked`. Returns the words that are marked now. */
export function markUnsure(words, marked) {
  const wanted = new Set(words);
  for (const word of marked) {
    if (!wanted.has(word)) word.node.replaceChildren(word.node.textContent);
  }
  for (const word of words) {
    if (word.node.firstElementChild) continue;
    const mark = document.createElement("mark");
    mark.append(word.node.textContent);
    word.node.replaceChildren(mark);
  }
  return words;
}
