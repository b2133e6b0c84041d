/** Draw the server's peaks; the browser never decodes a recording. */
import WaveSurfer from "wavesurfer.js";
import Timeline from "wavesurfer.js/timeline";
import { clock } from "../words.js";

const COLOURS = { waveColor: "#7d8794", progressColor: "#4a86e0", cursorColor: "#e0700a" }; // 3:1 on light and dark

/** Peaks of audiowaveform's JSON, version 2, as [above, below], each from -1 to 1. */
export function readPeaks(waveform) {
  const scale = 2 ** (waveform.bits - 1);
  const points = waveform.data.length / 2;
  const [above, below] = [new Float32Array(points), new Float32Array(points)];
  for (let point = 0; point < points; point += 1) {
    below[point] = waveform.data[2 * point] / scale;
    above[point] = waveform.data[2 * point + 1] / scale;
  }
  return [above, below];
}

/** Draw into `container` and seek in `media` by click; returns what removes it. */
export function drawWaveform(container, { waveform, duration, media, height, withTimes }) {
  const drawn = WaveSurfer.create({
    ...COLOURS,
    container,
    media,
    duration,
    height,
    peaks: readPeaks(waveform),
    normalize: true,
    cursorWidth: 2,
    dragToSeek: true,
    hideScrollbar: true,
    cspNonce: document.querySelector("script[nonce]").nonce,
    plugins: withTimes ? [Timeline.create({ height: 16, formatTimeCallback: clock, secondaryLabelOpacity: 1 })] : [],
  });
  return () => drawn.destroy();
}
