/** The first page: drop, options, queue. */
import { useEffect } from "preact/hooks";
import { html } from "../html.js";
import { isActive, queue, refresh, watch } from "../queue.js";
import { server } from "../server.js";
import { useStore } from "../store.js";
import { texts } from "../texts.js";
import { onAccepted, uploads } from "../uploads.js";
import { DropZone } from "./drop_zone.js";
import { OptionsForm } from "./options_form.js";
import { QueueList } from "./queue_list.js";
import { UploadList } from "./upload_list.js";

export function Home() {
  const offer = useStore(server);
  const items = useStore(uploads);
  useEffect(() => {
    onAccepted(refresh);
    return watch();
  }, []);
  return html`
    <${Title} />
    <h1 class="visually-hidden">${texts.home.title}</h1>
    <section class="panel" aria-labelledby="new-heading">
      <h2 id="new-heading">${texts.home.heading}</h2>
      <${DropZone} isCompact=${items.length > 0} />
      <${UploadList} items=${items} />
      ${offer && html`<${OptionsForm} offer=${offer} count=${items.filter(({ state }) => state === "staged").length} />`}
    </section>
    <${QueueList} offer=${offer} />
  `;
}

function Title() {
  const { tasks } = useStore(queue);
  const running = (tasks ?? []).filter(isActive).length;
  useEffect(() => {
    document.title = texts.title(running ? texts.home.running(running) : texts.home.title);
  }, [running]);
  return null;
}
