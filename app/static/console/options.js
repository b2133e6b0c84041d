/** The options of a submission: described by the server, chosen by a person, remembered by the browser. */
import { recall, remember } from "./memory.js";
import { makeStore } from "./store.js";

/** Shown in plain words above; every other parameter is shown as the server describes it. */
export const BASICS = {
  transcription: [
    "lang", "model_size", "is_diarize", "min_speakers", "max_speakers", "hotwords", "is_translate", "is_separate_bgm",
    "vad_filter",
  ],
  vad: [],
  "bgm-separation": ["uvr_model_size"],
};
/** Without a meaning on a page: it waits by itself, and the last three have no effect. */
const HIDDEN = ["wait", "webhook_url", "uvr_device", "diarization_device", "hf_token"];
/** What the page needs and a program would not ask for: browsers cannot play every recording. */
const PAGE_DEFAULTS = { listening_copy: "auto" };

export const choices = makeStore(recall("options", { kind: "transcription", values: {} }));
choices.subscribe((chosen) => remember("options", chosen));

export function choose(name, value) {
  choices.set(({ kind, values }) => ({ kind, values: { ...values, [name]: value } }));
}

export function chooseKind(kind) {
  choices.set(({ values }) => ({ kind, values }));
}

export function resetOptions() {
  choices.set(({ kind }) => ({ kind, values: {} }));
}

/** Describe a parameter of the OpenAPI document as a control. */
export function describe({ name, description, schema }) {
  const options = (schema.enum || []).filter((value) => value !== null && value !== "");
  const isSwitch = schema.type === "boolean" && typeof schema.default === "boolean";
  const type = isSwitch ? "switch" : schema.type === "boolean" ? "yes-no" : options.length ? "choice" : schema.type;
  return {
    name, description, type, options,
    usual: PAGE_DEFAULTS[name] ?? schema.default ?? null,
    least: schema.minimum, most: schema.maximum, longest: schema.maxLength,
    isWhole: schema.type === "integer",
  };
}

/** The parameters of `kind` that are not among the basics. */
export function listFurther(parameters, kind) {
  return parameters.map(describe).filter(({ name }) => !BASICS[kind].includes(name) && !HIDDEN.includes(name));
}

/** Make the query of a submission: what was chosen and differs from the usual value. */
export function makeQuery(parameters, kind, values) {
  const query = new URLSearchParams();
  for (const control of parameters.map(describe)) {
    const { name, type, options } = control;
    const value = values[name];
    if (HIDDEN.includes(name)) continue;
    if (value === undefined || value === "") {
      if (name in PAGE_DEFAULTS) query.set(name, PAGE_DEFAULTS[name]);
      continue;
    }
    if (type === "choice" && !options.includes(value)) continue; // a model that the server no longer has
    if (kind === "transcription" && name.endsWith("_speakers") && !values.is_diarize) continue;
    const isUsual = String(value) === String(control.usual) && !(name in PAGE_DEFAULTS);
    if (!isUsual) query.set(name, type === "array" ? String(value).replaceAll(/\s/g, "") : value);
  }
  return query;
}
