/** Which letters of a segment's text belong to which timed word. */

const SEARCHED = 40; // characters after the last word in which the next one is expected

export function tidy(text) {
  return String(text ?? "").replace(/\s+/gu, " ").trim();
}

/**
 * Cut a segment's text into pieces {text, word}; `word` is null between words.
 * The pieces joined are the text. A word that is not in the text has no piece.
 */
export function cutPieces(segment) {
  const text = tidy(segment.text);
  const pieces = [];
  let place = 0;
  for (const word of segment.words ?? []) {
    const form = tidy(word.word);
    const found = form ? text.indexOf(form, place) : -1;
    if (found < 0 || found - place > SEARCHED) continue;
    if (found > place) pieces.push({ text: text.slice(place, found), word: null });
    place = found + form.length;
    pieces.push({ text: form, word });
  }
  if (place < text.length) pieces.push({ text: text.slice(place), word: null });
  return pieces;
}

/** Divide a segment where the speaker changes: [{speaker, start, pieces}], at least one. */
export function splitTurns(segment) {
  const pieces = cutPieces(segment);
  const first = pieces.find((piece) => piece.word?.speaker)?.word.speaker ?? segment.speaker ?? null;
  const turns = [{ speaker: first, start: segment.start, pieces: [] }];
  for (const piece of pieces) {
    const speaker = piece.word?.speaker;
    if (speaker && speaker !== turns.at(-1).speaker) {
      turns.push({ speaker, start: piece.word.start ?? segment.start, pieces: [] });
    }
    turns.at(-1).pieces.push(piece);
  }
  return turns;
}

/** Times of the timed words in order; one without times gets the place between its neighbours. */
export function timeWords(segment, words) {
  const times = [];
  let last = segment.start;
  words.forEach((word, place) => {
    const start = word.start ?? last;
    const next = words.slice(place + 1).find((later) => later.start != null)?.start ?? segment.end;
    const end = Math.max(start, word.end ?? next);
    times.push([start, end]);
    last = end;
  });
  return times;
}
