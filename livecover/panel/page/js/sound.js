// Song and piano together, and how late what is played is heard.

import { announce, toast } from "./announce.js";

const $ = (id) => document.getElementById(id);
const ms = (seconds) => (1000 * seconds).toFixed(1);
const MEASURING = "measuring…";

/** Show whether song and piano are together. */
export function bindSound(settings) {
  settings.watch("audio.input", (input) => $("together").setAttribute("aria-pressed", String(input === "together")));
}

/** Show whether something is measured, for whichever page: then it can be cancelled. */
export function showMeasuring({ measuring: isMeasuring }) {
  const value = $("calibration-value");
  if (isMeasuring) value.textContent = MEASURING;
  else if (value.textContent === MEASURING) value.textContent = "";
  $("calibrate").hidden = isMeasuring;
  $("calibrate-cancel").hidden = !isMeasuring;
}

/** Show what was measured. */
export function showCalibrated({ output, seconds, low, high, n_heard: n }) {
  $("calibration-value").textContent = `${ms(seconds)} ms`;
  const text = `${output} is heard ${ms(seconds)} ms later (most within ${ms(low)} to ${ms(high)} ms; ${n} heard)`;
  toast(text);
  announce(text);
}
