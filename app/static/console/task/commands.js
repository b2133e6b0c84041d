/** What each key of a transcript does. */
import { STEP } from "./player.js";

/** `rename(label)` opens the name field, `find()` the search field; `unsureStep(by)` goes to an unsure word. */
export function listCommands(session, { rename, find, unsureStep }) {
  const { player, transcript } = session;
  const moveRow = (by) => {
    const row = session.currentRow();
    const place = transcript.rows.indexOf(row);
    session.goTo(transcript.rows[Math.min(Math.max(0, place + by), transcript.rows.length - 1)], "nearest");
  };
  const moveWord = (by) => {
    const word = transcript.wordBeside(player.media.currentTime, by);
    if (!word) return;
    player.seek(word.start);
    if (transcript.list.contains(document.activeElement)) session.goTo(word.row, "nearest");
  };
  return {
    " ": () => player.toggle(),
    ArrowLeft: () => player.skip(-STEP),
    ArrowRight: () => player.skip(STEP),
    "Shift+ArrowLeft": () => moveWord(-1),
    "Shift+ArrowRight": () => moveWord(1),
    ArrowUp: () => moveRow(-1),
    ArrowDown: () => moveRow(1),
    Enter: () => {
      const row = session.currentRow();
      if (row && session.isCurrent(row) && player.media.paused) player.play();
      else if (row) player.playFrom(row.start);
    },
    "[": () => player.changeRate(-1),
    "]": () => player.changeRate(1),
    0: () => player.setRate(1),
    u: () => unsureStep(1),
    "Shift+u": () => unsureStep(-1),
    "/": find,
    n: () => rename(session.currentRow()?.label),
    f: () => session.setFollow(!session.view.get().follow),
    e: () => session.correct(session.currentRow()),
    Home: () => {
      player.seek(0);
      session.goTo(transcript.rows[0]);
    },
    End: () => {
      player.seek(player.media.duration || 0);
      session.goTo(transcript.rows.at(-1));
    },
  };
}

/** Go to the next unsure word after the position, or the previous one, around the end; returns it. */
export function stepUnsure(session, by) {
  const words = session.unsureWords();
  if (!words.length) return null;
  const time = session.player.media.currentTime;
  const later = words.findIndex((word) => word.start > time + 0.001);
  const after = later < 0 ? 0 : later;
  const before = words.findLastIndex((word) => word.start < time - 0.001);
  const word = words[by > 0 ? after : before < 0 ? words.length - 1 : before];
  session.player.seek(word.start);
  session.goTo(word.row);
  return word;
}
