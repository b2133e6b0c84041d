/** One open transcript: text, player and corrections, and what connects them. */
import { recall, remember } from "../memory.js";
import { makeStore } from "../store.js";
import { taskTexts as texts } from "../texts_task.js";
import { openEditBox } from "./edit_box.js";
import { makeEditing } from "./editing.js";
import { isInView, onUserScroll, scrollToRow } from "./follow.js";
import { paint, rangeOf } from "./highlights.js";
import { gatherPeople, listLabels, nameLabels, readTurns } from "./people.js";
import { makePlayer } from "./player.js";
import { makeSearch } from "./search.js";
import { Transcript } from "./transcript.js";
import { chooseUnsure, LEVELS, markUnsure } from "./unsure.js";

const KEPT_LEVEL = "unsure";
const ROUNDING = 0.001; // seconds that a player may be before the place it was sent to

export function makeSession({ api, task, reload }) {
  const list = document.createElement("ol");
  list.className = "transcript";
  list.setAttribute("aria-label", texts.transcript);
  const player = makePlayer();
  const level = recall(KEPT_LEVEL, "few");
  const view = makeStore({
    people: [], turns: [], follow: recall("follow", true), level: LEVELS[level] ? level : "few", unsure: 0, lost: null,
  });
  const change = (values) => view.set((old) => ({ ...old, ...values }));
  const isEditable = task.task_type !== "vad";
  let names = {};
  let byLabel = new Map();
  let unsure = [];
  let spoken = null;
  let current = null;
  let box = null;

  const transcript = new Transcript(list, { isEditable, personOf: (label) => byLabel.get(label) });
  const search = makeSearch(transcript, goTo);
  const editing = makeEditing({ api, id: task.identifier, getSegments: () => transcript.segments, show: showSegments, reload });

  function showSegments(segments) {
    const held = box && segments.some((segment) => segment.id === box.id) ? box.id : null;
    if (box && held === null) {
      change({ lost: box.text() || null });
      box.close();
    } else if (box) {
      const theirs = segments.find((segment) => segment.id === held).text;
      if (theirs !== box.before) box.showOther(theirs);
    }
    const focused = transcript.rowOf(document.activeElement)?.index;
    transcript.update(segments, held);
    if (focused !== undefined && document.activeElement === document.body) {
      transcript.focus(transcript.rows.find((row) => row.index >= focused) ?? transcript.rows.at(-1));
    }
    showUnsure(view.get().level);
    search.refresh();
    spoken = null;
    showTime(player.media.currentTime);
  }

  function showNames(changed, turns) {
    names = changed;
    const labels = listLabels(turns);
    const people = gatherPeople(labels, names);
    byLabel = new Map(people.flatMap((person) => person.labels.map((label) => [label, person])));
    change({ people, turns });
  }

  function showUnsure(chosen) {
    unsure = markUnsure(chooseUnsure(transcript.words, LEVELS[chosen]), unsure);
    change({ level: chosen, unsure: unsure.length });
  }

  /** Colour the word that is spoken, and mark its row. */
  function showTime(time) {
    const word = transcript.wordAt(time + ROUNDING);
    if (word !== spoken) paint("spoken", word ? [rangeOf(word.node)] : []);
    spoken = word;
    const row = word?.row ?? transcript.rowAt(time + ROUNDING);
    if (row === current) return;
    current?.item.removeAttribute("aria-current");
    current = row;
    row?.item.setAttribute("aria-current", "true");
    if (row && view.get().follow && !player.media.paused && !box && !isInView(row)) scrollToRow(row);
  }

  function goTo(row, block) {
    if (!row) return;
    transcript.focus(row);
    if (!isInView(row)) scrollToRow(row, block);
  }

  function setFollow(follow) {
    remember("follow", follow);
    change({ follow });
    if (follow && current) scrollToRow(current);
  }

  function correct(row) {
    if (!isEditable || !row || task.status !== "COMPLETED" || editing.store.get().isSaving) return;
    const segment = transcript.segments[row.index];
    if (box) {
      if (box.id === segment.id) return;
      if (box.isChanged()) return box.focus(); // one correction at a time: what is typed is not dropped
      box.close();
    }
    const id = segment.id;
    change({ lost: null });
    const opened = openEditBox(transcript.groups[row.index], segment.text, {
      keep: (text) => editing.keep([{ segment: id, text }]),
      leave() {
        box = null;
        editing.dismiss();
        showSegments(transcript.segments);
        goTo(transcript.rows.find((other) => other.index >= row.index) ?? transcript.rows.at(-1));
      },
    });
    box = { ...opened, id, before: segment.text };
  }

  list.addEventListener("click", (event) => {
    const row = transcript.rowOf(event.target);
    if (!row || event.target.closest(".correct") || String(getSelection())) return;
    if (event.target.closest(".edit")) return correct(row);
    transcript.focus(row);
    const word = transcript.byNode.get(event.target.closest("span"));
    if (event.target.closest(".time")) player.playFrom(row.start);
    else if (word?.node) player.seek(word.start);
    else if (event.target.closest(".said")) player.seek(row.start);
  });
  list.addEventListener("dblclick", (event) => {
    if (event.target.closest(".said")) correct(transcript.rowOf(event.target));
  });
  const removers = [
    player.onTick(showTime),
    onUserScroll(() => view.get().follow && !player.media.paused && change({ follow: false })),
  ];

  return {
    list, player, transcript, search, editing, view, setFollow, showUnsure, correct, goTo,
    isCorrecting: () => Boolean(box?.isChanged()),
    currentRow: () => transcript.rowOf(document.activeElement) ?? current ?? transcript.rows[0],
    isCurrent: (row) => row === current,
    unsureWords: () => unsure,
    chooseLevel(chosen) {
      remember(KEPT_LEVEL, chosen);
      showUnsure(chosen);
    },
    /** Show the task's newest state. */
    show(newer) {
      task = newer;
      transcript.setLang(newer.language);
      showNames(newer.speaker_names ?? {}, readTurns(newer));
      editing.setRevision(newer.revision ?? 0);
      showSegments(newer.result ?? []);
    },
    /** Give labels one name; throws ApiError. */
    async rename(labels, name) {
      const changes = nameLabels(labels, name);
      const answer = await api.send("PATCH", `/task/${task.identifier}`, { speaker_names: changes });
      showNames(answer.speaker_names, view.get().turns);
      transcript.rename();
    },
    forgetLost: () => change({ lost: null }),
    close() {
      removers.forEach((remove) => remove());
      editing.close();
      player.close();
      for (const name of ["spoken", "found", "hit"]) paint(name, []);
    },
  };
}
