/** The list of tasks, kept up to date by polling: an event stream would hold one of the server's threads per tab. */
import { api } from "./api.js";
import { announce } from "./announcer.js";
import { makeStore } from "./store.js";
import { texts } from "./texts.js";

const BUSY_SECONDS = 2;
const IDLE_SECONDS = 10;
const RETRY_SECONDS = 5;
const PAGE = 50;
const MOST = 200; // of one answer
export const FILTERS = { all: [null], running: ["QUEUED", "IN_PROGRESS"], done: ["COMPLETED"], failed: ["FAILED"] };
const RUNNING = FILTERS.running;

/** `tasks` is null until the first answer; `problem` is a sentence, `hasMore` whether there are older tasks. */
export const queue = makeStore({ tasks: null, hasMore: false, problem: null, filter: "all", search: "" });

let timer = null;
let asked = 0; // the number of the newest request: older answers are dropped
let shown = PAGE;
let isWatching = false;

/** Poll while the page is shown; return what ends it. */
export function watch() {
  isWatching = true;
  document.addEventListener("visibilitychange", refresh);
  refresh();
  return () => {
    isWatching = false;
    asked += 1;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", refresh);
  };
}

/** Ask now; again in 2 s if something runs, else in 10 s, and not at all while the tab is hidden. */
export async function refresh() {
  clearTimeout(timer);
  if (!isWatching || document.hidden) return;
  asked += 1;
  const mine = asked;
  const { filter, search } = queue.get();
  let wait;
  try {
    const { tasks, hasMore } = await load(FILTERS[filter], search);
    const problem = await findProblem(tasks);
    if (mine !== asked) return;
    const before = queue.get();
    if (before.failing) announce(texts.queue.back);
    report(before.tasks, tasks);
    queue.set({ ...before, tasks, hasMore, problem, failing: false });
    wait = tasks.some(isActive) ? BUSY_SECONDS : IDLE_SECONDS;
  } catch (error) {
    if (mine !== asked) return;
    if (error.status === undefined) throw error;
    const problem = error.silent ? texts.queue.silent : texts.queue.unavailable(error.message);
    if (!queue.get().failing && error.status !== 401) announce(problem);
    queue.set((known) => ({ ...known, problem: error.status === 401 ? null : problem, failing: true }));
    wait = error.retryAfter ?? RETRY_SECONDS;
  }
  timer = setTimeout(refresh, wait * 1000);
}

export function show(changes) {
  shown = PAGE;
  queue.set((known) => ({ ...known, ...changes }));
  refresh();
}

export function showMore() {
  shown += PAGE;
  return refresh();
}

export function isActive({ status }) {
  return RUNNING.includes(status);
}

async function load(statuses, search) {
  const lists = await Promise.all(statuses.map((status) => loadPages(status, search)));
  const tasks = lists.flatMap((list) => list.tasks);
  if (lists.length > 1) tasks.sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
  return { tasks, hasMore: lists.some((list) => list.hasMore) };
}

async function loadPages(status, search) {
  const tasks = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({ brief: "true", limit: Math.min(MOST, shown - tasks.length) });
    if (status) query.set("status", status);
    if (search) query.set("q", search);
    if (cursor) query.set("cursor", cursor);
    const page = await api.get(`/task?${query}`);
    tasks.push(...page.tasks);
    cursor = page.next && new URL(page.next, location.href).searchParams.get("cursor");
  } while (cursor && tasks.length < shown);
  return { tasks, hasMore: Boolean(cursor) };
}

/** Say why nothing runs although recordings wait. */
async function findProblem(tasks) {
  const isStuck = tasks.some(({ status }) => status === "QUEUED") && !tasks.some(({ status }) => status === "IN_PROGRESS");
  if (!isStuck) return null;
  try {
    await api.get("/health/ready");
    return null;
  } catch (error) {
    if (error.status !== 503) throw error;
    return texts.queue.waits(error.message);
  }
}

/** Announce what has changed since the last answer. */
function report(before, now) {
  const known = new Map((before ?? []).map((task) => [task.identifier, task]));
  for (const task of now) {
    const old = known.get(task.identifier);
    if (!old) continue;
    const name = nameOf(task);
    if (old.status !== task.status && task.status === "COMPLETED") announce(texts.row.finished(name));
    else if (old.status !== task.status && task.status === "FAILED") announce(texts.row.failed(name, task.error));
    else if (old.status !== task.status && task.status === "CANCELLED") announce(texts.row.cancelled(name));
    else if (old.stage !== task.stage && task.stage) announce(texts.row.stage(name, stageOf(task)));
  }
}

export function nameOf(task) {
  return task.file_name || texts.row.unnamed;
}

export function stageOf(task) {
  return texts.row.stages[task.stage] ?? texts.row.starting;
}
