/** The whole page takes dropped recordings: a file dropped beside a target would replace the page. */
import { announce } from "./announcer.js";
import { here, homePath, navigate } from "./router.js";
import { makeStore } from "./store.js";
import { texts } from "./texts.js";
import { addFiles } from "./uploads.js";

/** Whether files are held over the page. */
export const isDragging = makeStore(false);
/** A sentence about what was dropped and cannot be used. */
export const dropProblem = makeStore(null);

export function acceptDrops() {
  addEventListener("dragenter", over);
  addEventListener("dragover", over);
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) isDragging.set(false); // it left the window
  });
  addEventListener("drop", drop);
}

function over(event) {
  if (!hasFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  if (!isDragging.get()) isDragging.set(true);
}

function drop(event) {
  if (!hasFiles(event)) return;
  isDragging.set(false);
  if (event.defaultPrevented) return; // a part of the page has its own use for it
  event.preventDefault();
  const folders = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry?.isDirectory);
  const names = new Set(folders.map((entry) => entry.name));
  const files = [...event.dataTransfer.files].filter((file) => !names.has(file.name));
  const problem = folders.length ? texts.home.folder(folders[0].name) : null;
  dropProblem.set(problem);
  if (problem) announce(problem);
  if (files.length) addFiles(files);
  if (here.get().page !== "home") navigate(homePath);
}

function hasFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}
