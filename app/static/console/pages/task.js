/** The page of one task: its state, and what it has found. */
import { useEffect, useRef } from "preact/hooks";
import { html } from "../html.js";
import { isActive, nameOf, stageOf } from "../queue.js";
import { homePath } from "../router.js";
import { Actions } from "../task/actions.js";
import { useTask } from "../task/poll.js";
import { Notes, Progress } from "../task/progress.js";
import { taskTexts } from "../texts_task.js";
import { clock, language, moment } from "../words.js";
import { Stems } from "./stems.js";
import { TranscriptView } from "./transcript.js";

const HAS_TEXT = ["transcription", "alignment", "vad"];

export function TaskPage({ id, api, texts, navigate, announce }) {
  const { task, error, isSilent, reload } = useTask(api, id);
  useTitle(task, error, texts);
  useAnnouncements(task, texts, announce);
  if (error && !task) {
    return html`<h1>${error.status === 404 ? taskTexts.gone : error.message}</h1>
      <p><a class="button" href=${homePath}>${taskTexts.back}</a></p>`;
  }
  if (!task) return html`<p class="quiet">${isSilent ? taskTexts.silent : taskTexts.loading}</p>`;
  const isDone = task.status === "COMPLETED";
  const hasText = HAS_TEXT.includes(task.task_type) && (isDone || (isActive(task) && task.result?.length > 0));
  return html`<article class="task">
    <div class="task-head">
      <a class="back" href=${homePath}>← ${taskTexts.back}</a>
      <h1 dir="auto">${nameOf(task)}</h1>
      <p class="facts">${listFacts(task, texts).join(" · ")}</p>
      <${Actions} task=${task} api=${api} navigate=${navigate} reload=${reload} />
    </div>
    ${(error || isSilent) && html`<p class="notice" role="alert">
      ${error?.status === 404 ? taskTexts.gone : taskTexts.silent}</p>`}
    <${Progress} task=${task} />
    <${Notes} warnings=${task.warnings} />
    ${hasText && html`<${TranscriptView} key=${id} task=${task} api=${api} announce=${announce}
      reload=${reload} />`}
    ${isDone && task.task_type === "bgm-separation" && html`<${Stems} key=${id} task=${task} api=${api} />`}
    ${isDone && task.task_type === "detect_language" && html`<p>${describeLanguage(task)}</p>`}
  </article>`;
}

function useTitle(task, error, texts) {
  const state = task && task.status !== "COMPLETED" ? `${taskTexts.pageState[task.status]} · ` : "";
  const title = error && !task ? taskTexts.gone : task ? state + nameOf(task) : taskTexts.loading;
  useEffect(() => {
    document.title = texts.title(title);
  }, [title]);
}

/** Say each next stage and the end, never a percentage. */
function useAnnouncements(task, texts, announce) {
  const before = useRef(null);
  useEffect(() => {
    const old = before.current;
    before.current = task;
    if (!old || !task || old.identifier !== task.identifier) return;
    const name = nameOf(task);
    if (old.status !== task.status && task.status === "COMPLETED") announce(texts.row.finished(name));
    else if (old.status !== task.status && task.status === "FAILED") announce(texts.row.failed(name, task.error));
    else if (isActive(task) && old.stage !== task.stage && task.stage) announce(texts.row.stage(name, stageOf(task)));
  }, [task]);
}

function listFacts(task, texts) {
  const voices = new Set(task.speaker_turns?.map((turn) => task.speaker_names?.[turn[2]] ?? turn[2]));
  return [
    texts.row.kinds[task.task_type],
    task.audio_duration != null && clock(task.audio_duration),
    task.language && language(task.language),
    voices.size > 0 && taskTexts.voices(voices.size),
    task.task_params?.model_size,
    task.files_purged_at && taskTexts.removed(moment(task.files_purged_at)),
    !task.files_purged_at && task.files_expire_at && taskTexts.kept(moment(task.files_expire_at)),
  ].filter(Boolean);
}

function describeLanguage({ result }) {
  return taskTexts.language(language(result.language_code), Math.round(100 * result.confidence));
}
