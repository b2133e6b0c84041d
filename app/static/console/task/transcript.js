/** The transcript as a list: one row a turn, one span a word. Plain DOM, as an hour has 10,000 words. */
import { clock } from "../words.js";
import { taskTexts as texts } from "../texts_task.js";
import { splitTurns, timeWords } from "./pieces.js";

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Last place in `items`, ascending by start, whose start is not after `time`; -1 before the first. */
function placeAt(items, time) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export class Transcript {
  /** `personOf(label)` → {name, initial, colour}, or null for a recording that was not diarized. */
  constructor(list, { personOf, isEditable }) {
    Object.assign(this, { list, personOf, isEditable, lang: null });
    this.groups = []; // one a segment: {id, signature, rows, words}
    this.rows = [];
    this.words = []; // by start
    this.rowsByStart = [];
    this.segments = [];
    this.byNode = new WeakMap(); // element of a word → word, item of a row → row
  }

  /**
   * Show these segments. Those that did not change keep their elements, and so the focus; so does the segment with
   * the identifier `held`, which is being corrected.
   */
  update(segments, held = null) {
    const old = new Map(this.groups.map((group) => [group.id, group]));
    this.segments = segments;
    this.groups = segments.map((segment, index) => {
      const id = segment.id ?? index;
      const signature = JSON.stringify([segment.start, segment.end, segment.text, segment.speaker, segment.words]);
      const known = old.get(id);
      const isKept = known && (known.signature === signature || id === held);
      if (isKept) old.delete(id);
      const group = isKept ? known : { ...this.#build(segment), id, signature };
      group.rows.forEach((row) => (row.index = index));
      return group;
    });
    for (const group of old.values()) group.rows.forEach((row) => row.item.remove());
    this.rows = this.groups.flatMap((group) => group.rows);
    let next = this.list.firstElementChild;
    for (const { item } of this.rows) {
      if (item === next) next = next.nextElementSibling;
      else this.list.insertBefore(item, next);
    }
    const byStart = (one, other) => one.start - other.start;
    this.rowsByStart = [...this.rows].sort(byStart);
    this.words = this.groups.flatMap((group) => group.words).sort(byStart);
    this.#giveTabStop();
    this.rename();
  }

  /** Write the names again, and hide those that repeat the row above. */
  rename() {
    let above = null;
    for (const row of this.rows) {
      const person = this.personOf(row.label);
      row.who.hidden = !person;
      if (person) {
        row.badge.textContent = person.initial;
        row.badge.dataset.colour = person.colour;
        row.name.textContent = person.name;
      }
      row.item.classList.toggle("same", Boolean(person) && person.name === above);
      row.play.setAttribute("aria-label", texts.playFrom(clock(row.start), person?.name));
      above = person?.name ?? null;
    }
  }

  /** The language of the text, once it is known. */
  setLang(lang) {
    if (lang === this.lang) return;
    this.lang = lang;
    for (const row of this.rows) row.said.lang = lang ?? "";
  }

  /** The word that is spoken at `time`; null between words. */
  wordAt(time) {
    for (let place = placeAt(this.words, time), tries = 4; place >= 0 && tries; place -= 1, tries -= 1) {
      if (time < this.words[place].end) return this.words[place];
    }
    return null;
  }

  /** The row that is being said at `time`, or the last one before; null before the first. */
  rowAt(time) {
    return this.rowsByStart[placeAt(this.rowsByStart, time)] ?? null;
  }

  /** The first word after `time`, or the last one before it. */
  wordBeside(time, step) {
    const place = placeAt(this.words, time + (step > 0 ? 0.001 : -0.001));
    return this.words[step > 0 ? place + 1 : place] ?? null;
  }

  rowOf(node) {
    const item = node.closest?.("li");
    return (item && this.byNode.get(item)) ?? null;
  }

  /** Give a row the list's tab stop, and the focus with it. */
  focus(row) {
    if (!row) return;
    this.list.querySelector("li[tabindex='0']")?.setAttribute("tabindex", "-1");
    row.item.setAttribute("tabindex", "0");
    row.item.focus({ preventScroll: true });
  }

  #giveTabStop() {
    if (!this.list.querySelector("li[tabindex='0']")) this.rows[0]?.item.setAttribute("tabindex", "0");
  }

  #build(segment) {
    const turns = splitTurns(segment);
    const pieces = turns.flatMap((turn) => turn.pieces.filter((piece) => piece.word));
    const times = timeWords(segment, pieces.map((piece) => piece.word));
    const words = [];
    const rows = turns.map((turn) => {
      const row = this.#buildRow(turn, segment);
      for (const piece of turn.pieces) {
        if (!piece.word) row.said.append(piece.text);
        else {
          const node = make("span", {}, piece.text);
          const [start, end] = times[words.length];
          const word = { node, row, start, end, probability: piece.word.probability ?? null };
          this.byNode.set(node, word);
          words.push(word);
          row.said.append(node);
        }
      }
      return row;
    });
    return { rows, words };
  }

  #buildRow(turn, segment) {
    const play = make("button", { type: "button", class: "time", tabindex: "-1" }, clock(turn.start));
    const badge = make("span", { class: "badge", "aria-hidden": "true" });
    const name = make("span", { class: "name" });
    const who = make("span", { class: "who" }, badge, name);
    const said = make("p", { class: "said", dir: "auto", ...(this.lang ? { lang: this.lang } : {}) });
    const item = make("li", { tabindex: "-1" }, play, who, said);
    if (this.isEditable) {
      const edit = make("button", { type: "button", class: "edit", tabindex: "-1", title: texts.correct }, "✎");
      edit.setAttribute("aria-label", texts.correct);
      item.append(edit);
    }
    const row = { item, said, who, badge, name, play, index: 0, label: turn.speaker, start: turn.start, end: segment.end };
    this.byNode.set(item, row);
    return row;
  }
}
