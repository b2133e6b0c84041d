/** Recordings on their way to the server: two uploads at a time, as each holds a thread of the server. */
import { address, makeError, makeSilentError } from "./api.js";
import { announce } from "./announcer.js";
import { PATHS } from "./server.js";
import { makeStore } from "./store.js";
import { texts } from "./texts.js";

const AT_ONCE = 2;
const RETRY_SECONDS = 5;
const BUSY = [429, 503];

/** Each: key, name, size, file or url, state (staged, waiting, sending, again, failed), sent (0–1), reason. */
export const uploads = makeStore([]);
/** Errors of options, by the name of the parameter. */
export const optionErrors = makeStore({});

const requests = new Map(); // key → XMLHttpRequest or timer of the next attempt
const files = new Map(); // identifier → File, so that this tab plays what it has sent
let accepted = () => {};
let number = 0;

export function onAccepted(callback) {
  accepted = callback;
}

/** The file that this tab sent for a task, if it did. */
export function localFile(identifier) {
  return files.get(identifier) ?? null;
}

export function addFiles(list) {
  const items = [...list].map((file) => ({ key: nextKey(), name: file.name, size: file.size, file, state: "staged" }));
  uploads.set((known) => [...known, ...items]);
  announce(texts.home.added(items.length));
}

export function addLink(url) {
  uploads.set((known) => [...known, { key: nextKey(), name: url, size: null, url, state: "staged" }]);
}

export function remove(key) {
  const request = requests.get(key);
  requests.delete(key);
  if (request instanceof XMLHttpRequest) request.abort();
  else clearTimeout(request);
  uploads.set((items) => items.filter((item) => item.key !== key));
  pump();
}

/** Send all staged recordings with the same options. */
export function start(kind, query) {
  optionErrors.set({});
  uploads.set((items) =>
    items.map((item) => (item.state === "staged" ? { ...item, state: "waiting", kind, query, token: makeToken() } : item)),
  );
  pump();
}

export function retry(key) {
  change(key, { state: "staged", reason: undefined });
}

/** Whether leaving the page would lose an upload. */
export function isUploading() {
  return uploads.get().some(({ state }) => ["waiting", "sending", "again"].includes(state));
}

/** Start uploads until two are running; called again once the server has got its key. */
export function pump() {
  const items = uploads.get();
  const free = AT_ONCE - items.filter(({ state }) => state === "sending").length;
  for (const item of items.filter(({ state }) => state === "waiting").slice(0, Math.max(0, free))) send(item);
}

function send(item) {
  const request = new XMLHttpRequest();
  const form = new FormData();
  if (item.file) form.append("file", item.file, item.name);
  else form.append("file_url", item.url);
  const query = String(item.query);
  request.open("POST", address(PATHS[item.kind] + (query ? `?${query}` : "")));
  request.setRequestHeader("Accept", "application/json");
  // A lost answer is repeated without a second task.
  request.setRequestHeader("Idempotency-Key", item.token);
  request.upload.onprogress = ({ loaded, total }) => change(item.key, { sent: total ? loaded / total : 0 });
  request.onload = () => finish(item, request);
  request.onerror = () => handleLoss(item);
  requests.set(item.key, request);
  change(item.key, { state: "sending", sent: 0 });
  request.send(form);
}

function finish(item, request) {
  requests.delete(item.key);
  if (request.status === 201 || request.status === 200) {
    const { identifier } = JSON.parse(request.responseText);
    if (item.file) files.set(identifier, item.file);
    uploads.set((items) => items.filter(({ key }) => key !== item.key));
    announce(texts.upload.accepted(item.name));
    accepted(identifier);
  } else {
    refuse(item, makeError(request.status, request.responseText, request.getResponseHeader("Retry-After")));
  }
  pump();
}

function refuse(item, error) {
  if (error.status === 401) change(item.key, { state: "waiting" });
  else if (BUSY.includes(error.status)) repeat(item, error);
  else if (error.status === 422 && !error.fields.file && !error.fields.file_url) giveBack(error);
  else fail(item, explain(error));
}

/** The connection broke, or the file is gone: only reading it tells which. */
async function handleLoss(item) {
  requests.delete(item.key);
  try {
    await item.file?.slice(0, 1).arrayBuffer();
    repeat(item, makeSilentError());
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    fail(item, texts.errors.unreadable);
  }
  pump();
}

function repeat(item, error) {
  if (!uploads.get().some(({ key }) => key === item.key)) return; // removed meanwhile
  change(item.key, { state: "again", reason: error.message });
  const wait = (error.retryAfter ?? RETRY_SECONDS) * 1000;
  requests.set(item.key, setTimeout(() => {
    change(item.key, { state: "waiting", reason: undefined });
    pump();
  }, wait));
}

/** An option was refused: nothing with these options can be sent. */
function giveBack(error) {
  const isHeld = ({ key, state }) => state === "waiting" || (state === "sending" && !requests.has(key));
  uploads.set((items) => items.map((item) => (isHeld(item) ? { ...item, state: "staged" } : item)));
  optionErrors.set(Object.keys(error.fields).length ? error.fields : { "": error.message });
}

function fail(item, reason) {
  change(item.key, { state: "failed", reason });
  announce(texts.upload.failed(item.name, reason));
}

function explain(error) {
  if (error.status === 413) return texts.errors.tooBig;
  if (error.status === 507) return texts.errors.full;
  return error.fields.file ?? error.fields.file_url ?? error.message;
}

function change(key, values) {
  uploads.set((items) => items.map((item) => (item.key === key ? { ...item, ...values } : item)));
}

function nextKey() {
  number += 1;
  return number;
}

/** crypto.randomUUID exists only on https. */
function makeToken() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
