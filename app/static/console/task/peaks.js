/** Peaks as one SVG path, for the lanes of stems. */

const COLUMNS = 800;
const HALF = 50;

/** A path in a box of COLUMNS × 100 from audiowaveform's [low, high, low, high, …]. */
export function drawPeaks({ data, bits }) {
  const scale = HALF / 2 ** (bits - 1);
  const points = data.length / 2;
  const columns = Math.min(COLUMNS, points);
  const parts = [];
  for (let column = 0; column < columns; column += 1) {
    let [low, high] = [0, 0];
    for (let point = Math.floor((column * points) / columns); point < ((column + 1) * points) / columns; point += 1) {
      low = Math.min(low, data[2 * point]);
      high = Math.max(high, data[2 * point + 1]);
    }
    const x = ((column * COLUMNS) / columns).toFixed(1);
    parts.push(`M${x} ${(HALF - high * scale).toFixed(1)}V${(HALF - low * scale + 0.5).toFixed(1)}`);
  }
  return parts.join("");
}
