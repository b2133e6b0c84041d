/** Numbers, times and languages as people write them. */

const languageNames = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
const ordinals = new Intl.PluralRules("en", { type: "ordinal" });
const SUFFIXES = { one: "st", two: "nd", few: "rd", other: "th" };
// Whisper has its own code for Javanese; Chromium has no name for the others.
const OWN_NAMES = { jw: "Javanese", ba: "Bashkir", bo: "Tibetan" };

/** 58:02, or 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A time that is only estimated: "about 4 min". */
export function about(seconds) {
  if (seconds < 50) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  const rest = Math.round((minutes % 60) / 10) * 10;
  if (rest === 60) return `about ${hours + 1} h`;
  return rest ? `about ${hours} h ${rest} min` : `about ${hours} h`;
}

export function ordinal(number) {
  return `${number}${SUFFIXES[ordinals.select(number)]}`;
}

export function language(code) {
  return OWN_NAMES[code] || languageNames.of(code);
}

export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** When something happened: "14:03" today, else with the day. */
export function moment(iso, now = new Date()) {
  const date = new Date(iso);
  const time = { hour: "2-digit", minute: "2-digit" };
  if (date.toDateString() === now.toDateString()) return date.toLocaleTimeString("en-GB", time);
  const year = date.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return date.toLocaleString("en-GB", { day: "numeric", month: "short", ...year, ...time });
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
