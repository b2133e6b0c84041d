/** The addresses of the pages, and moving between them without loading anew. */
import { root } from "./api.js";
import { makeStore } from "./store.js";

const TASK = /^\/console\/task\/([^/]+)\/?$/;

export const here = makeStore(find());

addEventListener("popstate", () => here.set(find()));

/** Find the page of the current address. */
function find() {
  const task = TASK.exec(location.pathname.slice(root.length));
  return task ? { page: "task", id: decodeURIComponent(task[1]) } : { page: "home" };
}

export function taskPath(id) {
  return `${root}/console/task/${encodeURIComponent(id)}`;
}

export const homePath = `${root}/console`;

/** Show the page of `path`, which begins with the root. */
export function navigate(path) {
  history.pushState(null, "", path);
  here.set(find());
  scrollTo(0, 0);
  focusMain();
}

/** Move the focus to the page: a screen reader then reads its title. */
function focusMain() {
  document.querySelector("main")?.focus({ preventScroll: true });
}

/** Follow a link inside the console without loading; other clicks are the browser's. */
export function followLink(event) {
  const link = event.target.closest?.("a[href]");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  const { origin, pathname, hash } = new URL(link.href);
  const isConsole = pathname === homePath || pathname.startsWith(`${homePath}/`);
  if (origin !== location.origin || !isConsole || hash) return;
  event.preventDefault();
  navigate(pathname);
}
