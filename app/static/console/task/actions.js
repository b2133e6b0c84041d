/** What can be done with the task as a whole: download, again, cancel, delete. */
import { useState } from "preact/hooks";
import { ConfirmDelete } from "../confirm.js";
import { DownloadLinks } from "../downloads.js";
import { html } from "../html.js";
import { Menu } from "../menu.js";
import { isActive } from "../queue.js";
import { homePath, taskPath } from "../router.js";
import { server } from "../server.js";
import { useStore } from "../store.js";
import { cancelTask, deleteTasks } from "../task_actions.js";
import { texts as shared } from "../texts.js";
import { taskTexts as texts } from "../texts_task.js";

/** A transcription may have kept the voice and the music, too. */
function hasStems({ task_params: params, files_purged_at: purged }) {
  return Boolean(params?.is_separate_bgm && params.save_file && !purged);
}

export function Actions({ task, api, navigate, reload }) {
  const offer = useStore(server);
  const [problem, setProblem] = useState(null);
  const [isAsking, ask] = useState(false);
  const cancel = async () => {
    setProblem(await cancelTask(task));
    reload();
  };
  const remove = async () => {
    ask(false);
    const sentence = await deleteTasks([task]);
    if (sentence) setProblem(sentence);
    else navigate(homePath);
  };
  const repeat = async () => {
    try {
      const { identifier } = await api.send("POST", `/task/${task.identifier}/again`);
      navigate(taskPath(identifier));
    } catch (error) {
      if (error.status === undefined) throw error;
      setProblem(error.status === 410 ? shared.row.gone : error.message);
    }
  };
  return html`<div class="actions">
    ${task.status === "COMPLETED" && offer && html`<${Menu} label=${texts.download}>
      <${DownloadLinks} task=${task} offered=${offer.formats} />
      ${hasStems(task) && html`<li><a href=${api.address(`/task/file/${task.identifier}`)} download>${shared.stems}</a></li>`}
    <//>`}
    ${isActive(task)
      ? html`<button type="button" onClick=${cancel}>${texts.cancel}</button>`
      : html`<button type="button" onClick=${repeat}>${texts.again}</button>`}
    <button type="button" onClick=${() => ask(true)}>${texts.remove}</button>
    ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    ${isAsking && html`<${ConfirmDelete} count=${1} isRunning=${isActive(task)} onYes=${remove} onNo=${() => ask(false)} />`}
  </div>`;
}
