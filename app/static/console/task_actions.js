/** Cancel, delete and repeat tasks; each returns a sentence about what went wrong, or null. */
import { announce } from "./announcer.js";
import { api } from "./api.js";
import { nameOf, refresh } from "./queue.js";
import { texts } from "./texts.js";

/** A task that has ended meanwhile needs no cancelling: the list shows how. */
export function cancelTask(task) {
  return attempt(() => api.send("POST", `${path(task)}/cancel`), [404, 409]);
}

export async function deleteTasks(tasks) {
  let problem = null;
  let count = 0;
  for (const task of tasks) {
    const failed = await attempt(() => api.send("DELETE", path(task)), [404], false);
    if (failed) problem = failed;
    else count += 1;
  }
  if (count) announce(texts.row.deleted(count));
  await refresh();
  return problem;
}

export async function cancelTasks(tasks) {
  let problem = null;
  for (const task of tasks) problem = (await cancelTask(task)) ?? problem;
  return problem;
}

export async function repeatTask(task) {
  const problem = await attempt(() => api.send("POST", `${path(task)}/again`));
  if (!problem) announce(texts.row.repeated(nameOf(task)));
  return problem;
}

/** Call the server, and show the list anew; errors whose status is in `accepted` are none. */
async function attempt(call, accepted = [], isLast = true) {
  let problem = null;
  try {
    await call();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (!accepted.includes(error.status)) problem = error.status === 410 ? texts.row.gone : error.message;
  }
  if (isLast) await refresh();
  return problem;
}

function path({ identifier }) {
  return `/task/${encodeURIComponent(identifier)}`;
}
