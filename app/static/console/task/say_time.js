/** Times for screen readers. */

/** 751 → "12 minutes 31 seconds". */
export function sayTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const say = (number, unit) => (number ? `${number} ${unit}${number === 1 ? "" : "s"}` : "");
  const parts = [say(Math.floor(whole / 3600), "hour"), say(Math.floor(whole / 60) % 60, "minute"), say(whole % 60, "second")];
  return parts.filter(Boolean).join(" ") || "0 seconds";
}
