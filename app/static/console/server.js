/** What the server offers: parameters, models and file formats, from /openapi.json and /models. */
import { api } from "./api.js";
import { makeStore } from "./store.js";

const RETRY_MS = 5000;
export const PATHS = { transcription: "/transcription", vad: "/vad", "bgm-separation": "/bgm-separation" };

/** null until loaded; then `parameters` per kind, `models` and `formats`. */
export const server = makeStore(null);
let loading = null;

/** Load once; try again until the server answers. */
export function loadServer() {
  loading ??= load().catch((error) => {
    loading = null;
    if (error.status === 401) return; // asked again with the key
    setTimeout(loadServer, (error.retryAfter ?? 0) * 1000 || RETRY_MS);
  });
  return loading;
}

async function load() {
  const [document, models] = await Promise.all([api.get("/openapi.json"), api.get("/models")]);
  const parameters = {};
  for (const [kind, path] of Object.entries(PATHS)) parameters[kind] = document.paths[path].post.parameters;
  const format = document.paths["/task/{identifier}/result"].get.parameters.find(({ name }) => name === "format");
  server.set({
    parameters,
    models,
    formats: format.schema.enum,
  });
}
