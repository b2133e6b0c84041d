/** Requests to the service; the only module that knows its address. */
import { texts } from "./texts.js";

const SILENT = 0; // the status of an error without an answer
const given = document.getElementById("app").dataset;

/** The path below which the service answers, without a slash at its end; a proxy may have added a prefix. */
export const root = new URL(given.root, location.href).pathname.replace(/\/$/, "");

/** Whether requests need no API key. */
export const isOpen = given.open === "true";

/** Whether the server has a recording to try the page with. */
export const hasSample = given.sample === "true";

export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body.message || texts.errors.unknown(status));
    this.status = status;
    this.code = body.code;
    this.body = body;
    this.fields = flatten(body.errors);
    this.retryAfter = retryAfter;
  }

  /** Whether the server gave no answer at all. */
  get silent() {
    return this.status === SILENT;
  }
}

let askForKey = () => {};

/** Call `callback` when the server asks for an API key. */
export function onUnauthorized(callback) {
  askForKey = callback;
}

/** The address of `path`, for links and media. */
export function address(path) {
  return root + path;
}

export const api = {
  address,
  get: (path, options) => request("GET", path, undefined, options),
  send: (method, path, body) => request(method, path, body),
};

async function request(method, path, body, { signal } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  let text;
  try {
    answer = await fetch(address(path), {
      method, headers, signal, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw makeSilentError();
  }
  if (answer.ok) return text ? JSON.parse(text) : null;
  throw makeError(answer.status, text, answer.headers.get("Retry-After"));
}

export function makeSilentError() {
  return new ApiError(SILENT, { message: texts.errors.silent });
}

/** Make the error of an answer; a proxy's answer may not be JSON. */
export function makeError(status, text, retryAfter) {
  let body = {};
  try {
    body = JSON.parse(text) || {};
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (status === 401) askForKey();
  const seconds = Number.parseInt(retryAfter ?? "", 10);
  return new ApiError(status, body, Number.isNaN(seconds) ? null : seconds);
}

/** Map each field to one sentence; errors may be grouped by where the field was sent. */
function flatten(errors, found = {}) {
  for (const [name, value] of Object.entries(errors || {})) {
    if (Array.isArray(value)) found[name] = value.join(" ");
    else if (typeof value === "string") found[name] = value;
    else flatten(value, found);
  }
  return found;
}
