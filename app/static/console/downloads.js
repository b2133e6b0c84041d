/** The files that a finished task offers, as links. */
import { address } from "./api.js";
import { html } from "./html.js";
import { texts } from "./texts.js";

/** Formats by the kind of task; a transcript has all of them, and RTTM if its voices were told apart. */
const OF_KIND = {
  vad: ["tsv", "textgrid", "eaf", "audacity", "rttm", "json"],
  detect_language: ["txt", "json"],
};

export function listFormats(taskType, offered, hasTurns = false) {
  const ours = Object.keys(texts.formats).filter((format) => offered.includes(format));
  const fitting = OF_KIND[taskType] ?? ours.filter((format) => hasTurns || format !== "rttm");
  return ours.filter((format) => fitting.includes(format));
}

export function resultAddress(id, format) {
  return address(`/task/${encodeURIComponent(id)}/result?format=${format}`);
}

/** The entries of the menu Download. */
export function DownloadLinks({ task, offered }) {
  if (task.task_type === "bgm-separation") {
    return html`<li><a href=${address(`/task/file/${task.identifier}`)} download>${texts.stems}</a></li>`;
  }
  return listFormats(task.task_type, offered, task.speaker_turns?.length > 0).map(
    (format) => html`<li key=${format}>
      <a href=${resultAddress(task.identifier, format)} download>
        <span>${texts.formats[format][0]}</span> <span class="quiet">${texts.formats[format][1]}</span>
      </a>
    </li>`,
  );
}
