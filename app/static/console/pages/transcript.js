/** A transcript with its player: read, listen, find, name the people, correct. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { useStore } from "../store.js";
import { Captions } from "../task/captions.js";
import { listCommands, stepUnsure } from "../task/commands.js";
import { EditBar } from "../task/edit_bar.js";
import { FindBar } from "../task/find_bar.js";
import { bindKeys } from "../task/keys.js";
import { Mount } from "../task/mount.js";
import { PeopleBar } from "../task/people_bar.js";
import { PlayerBar } from "../task/player_bar.js";
import { openRecording } from "../task/recording.js";
import { makeSession } from "../task/session.js";
import { Strip } from "../task/strip.js";
import { UnsureBar } from "../task/unsure_bar.js";
import { useWaveform } from "../task/waveforms.js";
import { taskTexts as texts } from "../texts_task.js";
import { localFile } from "../uploads.js";

const MOST_STICKY = 4; // people whose turns stay in view; more would cover the text

export function TranscriptView({ task, api, announce, reload }) {
  const root = useRef(null);
  const session = useMemo(() => makeSession({ api, task: present(task), reload }), [task.identifier]);
  const { people, turns, follow, level, unsure, lost } = useStore(session.view);
  const [renaming, setRenaming] = useState(null);
  const duration = task.audio_duration ?? turns.at(-1)?.[1] ?? 0;
  const isDone = task.status === "COMPLETED";
  const isVad = task.task_type === "vad";
  const isEmpty = isDone && task.result?.length === 0;
  const waveform = useWaveform(api, task);

  useEffect(() => session.show(present(task)), [session, task]);
  useEffect(() => session.close, [session]);
  useEffect(() => {
    const { source } = session.player.store.get();
    if (source === "none" || source === "missing") {
      openRecording(session.player, task, { address: api.address, file: localFile(task.identifier) });
    }
  }, [session, isDone]);
  useEffect(() => warnBeforeLeaving(session), [session]);

  const find = () => root.current.querySelector(".find-field").select();
  const unsureStep = (by) => {
    const word = stepUnsure(session, by);
    if (word) announce(word.node.textContent);
  };
  const startRename = (label) => isDone && label != null && setRenaming(label);
  useEffect(
    () => bindKeys(root.current, listCommands(session, { rename: startRename, find, unsureStep })),
    [session, isDone],
  );
  const rename = async (labels, name, sentence) => {
    await session.rename(labels, name);
    announce(sentence);
    reload();
  };
  const undo = async () => {
    if (await session.editing.undo()) announce(texts.undone);
  };
  const align = async () => {
    announce(texts.timing);
    const count = await session.editing.align(duration);
    if (count !== null) announce(texts.timed(count));
  };
  const strip = turns.length > 0
    && html`<${Strip} people=${people} turns=${turns} duration=${duration} seek=${session.player.seek} />`;
  return html`<div class="transcript-view" ref=${root}>
    <${PlayerBar} player=${session.player} task=${task} waveform=${waveform} follow=${follow} setFollow=${session.setFollow}
      nameAt=${(time) => people.find(({ labels }) => labels.includes(session.transcript.rowAt(time)?.label))?.name}>
      ${people.length <= MOST_STICKY && strip}
    <//>
    ${isDone && !isVad && html`<${Captions} session=${session} names=${people}
      address=${api.address(`/task/${task.identifier}/result?format=vtt`)} />`}
    ${people.length > MOST_STICKY && strip}
    ${people.length > 0 && !isVad && html`<${PeopleBar} people=${people} rename=${rename} renaming=${renaming}
      setRenaming=${setRenaming} isLocked=${!isDone} />`}
    ${!isVad && !isEmpty && html`<div class="tools">
      <${FindBar} search=${session.search} editing=${session.editing} canReplace=${isDone} announce=${announce}
        back=${() => session.goTo(session.currentRow())} />
      <${UnsureBar} level=${level} count=${unsure} choose=${session.chooseLevel} step=${unsureStep} />
    </div>`}
    ${isDone && !isVad && html`<${EditBar} editing=${session.editing} lost=${lost} forgetLost=${session.forgetLost}
      isCorrecting=${session.isCorrecting} undo=${undo} align=${align} />`}
    ${isEmpty && html`<p class="empty">${texts.nobody}</p>`}
    ${isDone && !isEmpty && !isVad && html`<p class="hint">${texts.help}</p>`}
    <${Mount} class="text" node=${session.list} />
  </div>`;
}

/** A task without words has stretches of speech: each becomes a row, and one strip shows them all. */
function present(task) {
  if (task.task_type !== "vad") return task;
  const result = (task.result ?? []).map(({ start, end }) => ({ start, end, text: texts.stretch(end - start) }));
  return { ...task, result, speaker_turns: result.map(({ start, end }) => [start, end, texts.speech]) };
}

function warnBeforeLeaving(session) {
  const listen = (event) => session.isCorrecting() && event.preventDefault();
  addEventListener("beforeunload", listen);
  return () => removeEventListener("beforeunload", listen);
}
