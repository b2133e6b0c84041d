/** Start the console: the frame of all pages, and the page of the current address. */
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announce, Announcer } from "./announcer.js";
import { address, api, isOpen, onUnauthorized } from "./api.js";
import { acceptDrops } from "./drops.js";
import { Help, openHelp } from "./help.js";
import { html } from "./html.js";
import { KeyForm } from "./key_form.js";
import { Home } from "./pages/home.js";
import { followLink, here, homePath, navigate, taskPath } from "./router.js";
import { loadServer } from "./server.js";
import { makeStore, useStore } from "./store.js";
import { texts } from "./texts.js";
import { applyTheme, ThemeSwitch } from "./theme.js";
import { isUploading, pump } from "./uploads.js";

const locked = makeStore(false);

function Console() {
  const place = useStore(here);
  const isLocked = useStore(locked);
  return html`
    <a class="skip" href="#main">${texts.skip}</a>
    <${Header} place=${place} />
    <main id="main" tabindex="-1" onClick=${followLink}>
      ${isLocked ? html`<${KeyForm} onKey=${unlock} />` : html`<${Page} key=${place.id ?? place.page} ...${place} />`}
    </main>
    <footer class="footer">${isOpen && html`<p>${texts.open}</p>`}</footer>
    <${Help} />
    <${Announcer} />
  `;
}

function Header({ place }) {
  return html`<header class="header" onClick=${followLink}>
    <a class="brand" href=${homePath}>${texts.app}</a>
    <nav aria-label=${texts.nav.label}>
      <a href=${homePath} aria-current=${place.page === "home" ? "page" : undefined}>${texts.nav.recordings}</a>
      <a href=${address("/docs")}>${texts.nav.api}</a>
    </nav>
    <${ThemeSwitch} />
    <button class="round" type="button" aria-label=${texts.help.open} title=${texts.help.open} onClick=${openHelp}>?</button>
  </header>`;
}

function Page({ page, id }) {
  return page === "task" ? html`<${LazyTask} id=${id} />` : html`<${Home} />`;
}

/** The page of a task has its own modules, which the list of recordings does not need. */
function LazyTask({ id }) {
  const [loaded, show] = useState({});
  useEffect(() => {
    import("./pages/task.js").then(
      ({ TaskPage }) => show({ TaskPage }),
      (error) => {
        console.warn(error);
        show({ isBroken: true });
      },
    );
  }, []);
  const { TaskPage, isBroken } = loaded;
  if (TaskPage) return html`<${TaskPage} id=${id} api=${api} texts=${texts} navigate=${navigate} announce=${announce} />`;
  if (!isBroken) return html`<p class="quiet">${texts.loading}</p>`;
  return html`<h1>${texts.errors.page}</h1>
    <p><a class="button" href=${taskPath(id)} target="_self">${texts.errors.reload}</a></p>`;
}

function unlock() {
  locked.set(false);
  loadServer();
  pump();
}

applyTheme();
acceptDrops();
onUnauthorized(() => locked.set(true));
addEventListener("beforeunload", (event) => {
  if (isUploading()) event.preventDefault();
});
loadServer();
render(html`<${Console} />`, document.getElementById("app"));
