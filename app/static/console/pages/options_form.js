/** What to do with the recordings: the usual options in plain words, all others folded, and Start. */
import { useEffect, useRef } from "preact/hooks";
import { announce } from "../announcer.js";
import { html } from "../html.js";
import { chooseKind, choices, listFurther, makeQuery, resetOptions } from "../options.js";
import { useStore } from "../store.js";
import { texts } from "../texts.js";
import { optionErrors, start } from "../uploads.js";
import { language } from "../words.js";
import { Choice, Entry, ServerOption, Switch } from "./option_fields.js";

export function OptionsForm({ offer, count }) {
  const { kind, values } = useStore(choices);
  const errors = useStore(optionErrors);
  const form = useRef(null);
  useEffect(() => focusFirst(form.current, errors), [errors]);
  const submit = (event) => {
    event.preventDefault();
    if (!count) {
      announce(texts.home.none);
      document.getElementById("files").focus();
      return;
    }
    const found = findInvalid(form.current);
    if (Object.keys(found).length) optionErrors.set(found);
    else start(kind, makeQuery(offer.parameters[kind], kind, values));
  };
  const further = listFurther(offer.parameters[kind], kind);
  const shared = { values, errors, offer };
  return html`<form class="options" ref=${form} onSubmit=${submit} novalidate>
    <fieldset class="kinds">
      <legend>${texts.options.kind}</legend>
      ${Object.entries(texts.options.kinds).map(
        ([name, words]) => html`<label class="check" key=${name}>
          <input type="radio" name="kind" value=${name} checked=${kind === name} onChange=${() => chooseKind(name)} />
          <span>${words}</span>
        </label>`,
      )}
    </fieldset>
    ${kind === "transcription" && html`<${Transcription} ...${shared} />`}
    ${kind === "bgm-separation" && html`<${Separation} ...${shared} />`}
    <details class="more">
      <summary>${texts.options.more}</summary>
      <div class="grid">
        ${further.map(
          (control) => html`<${ServerOption} key=${control.name} control=${control} values=${values}
            error=${errors[control.name]} />`,
        )}
      </div>
      <p><button type="button" onClick=${resetOptions}>${texts.options.reset}</button></p>
    </details>
    ${Object.keys(errors).length > 0 && html`<p class="problem" role="alert">${errors[""] ?? texts.options.wrong}</p>`}
    <p class="start">
      <button type="submit" class="primary" aria-disabled=${count ? undefined : "true"}>${texts.home.start}</button>
      <span class="quiet">${count ? texts.home.ready(count) : texts.home.none}</span>
    </p>
  </form>`;
}

function Transcription({ values, errors, offer }) {
  const { lang, model_size: models } = offer.models;
  const languages = lang.choices.map(({ name }) => [name, language(name)]).sort((a, b) => a[1].localeCompare(b[1]));
  const shared = (name) => ({ name, values, error: errors[name]?.replace(/\bm(in|ax)_speakers\b/, quoteLabel) });
  return html`
    <div class="grid">
      <${Choice} ...${shared("lang")} label=${texts.options.language} usual=${lang.default ?? "auto"}
        choices=${[["auto", texts.options.detect], ...languages]} />
      <${Choice} ...${shared("model_size")} label=${texts.options.model} usual=${models.default}
        choices=${nameModels(models.choices)} />
      <${Entry} ...${shared("hotwords")} label=${texts.options.terms} hint=${texts.options.termsHint} maxlength="10000" />
    </div>
    <div class="switches">
      <${Switch} ...${shared("is_diarize")} label=${texts.options.diarize} />
      <${Switch} ...${shared("is_translate")} label=${texts.options.translate} />
      <${Switch} ...${shared("is_separate_bgm")} label=${texts.options.music} />
      <${Switch} ...${shared("vad_filter")} label=${texts.options.silence} />
    </div>
    ${values.is_diarize === true &&
    html`<div class="grid">
      <${Entry} ...${shared("min_speakers")} label=${texts.options.speakersFrom} type="number" min="1" step="1"
        hint=${texts.options.speakersHint} />
      <${Entry} ...${shared("max_speakers")} label=${texts.options.speakersTo} type="number" min="1" step="1"
        hint=${texts.options.speakersHint} />
    </div>`}
  `;
}

/** The server names the field as programs know it. */
function quoteLabel(name) {
  return `“${name === "min_speakers" ? texts.options.speakersFrom : texts.options.speakersTo}”`;
}

function Separation({ values, errors, offer }) {
  const { choices: models, default: usual } = offer.models.uvr_model_size;
  return html`<div class="grid">
    <${Choice} name="uvr_model_size" values=${values} error=${errors.uvr_model_size} label=${texts.options.model}
      usual=${usual} choices=${nameModels(models)} />
  </div>`;
}

function nameModels(models) {
  return models.map(({ name, on_disk: onDisk }) => [name, onDisk ? name : texts.options.download(name)]);
}

/** Map each field that the browser finds wrong to the browser's sentence. */
function findInvalid(form) {
  const wrong = [...form.elements].filter((element) => element.name && !element.validity.valid);
  return Object.fromEntries(wrong.map((element) => [element.name, element.validationMessage]));
}

/** Move the focus to the first wrong field, which may be folded away. */
function focusFirst(form, errors) {
  const field = [...form.elements].find(({ name }) => name && name in errors);
  if (!field) return;
  const folded = field.closest("details");
  if (folded) folded.open = true;
  field.focus();
}
