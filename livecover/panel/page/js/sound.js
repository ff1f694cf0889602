// Song and piano together, and how late what is played is heard.

import { announce, toast } from "./announce.js";

const $ = (id) => document.getElementById(id);
const ms = (seconds) => (1000 * seconds).toFixed(1);
const MEASURING = "…";

/** Show whether song and piano are together, and that a measurement runs. */
export function bindSound(settings) {
  settings.watch("audio.input", (input) => $("together").setAttribute("aria-pressed", String(input === "together")));
  $("calibrate").addEventListener("click", () => show(MEASURING));
}

/** Show what was measured. */
export function showCalibrated({ output, seconds, low, high, n_heard: n }) {
  show(`${ms(seconds)} ms`);
  const text = `${output} is heard ${ms(seconds)} ms later (most within ${ms(low)} to ${ms(high)} ms; ${n} heard)`;
  toast(text);
  announce(text);
}

/** A command failed: nothing is measured any more. */
export function endMeasuring() {
  if ($("calibration-value").textContent === MEASURING) show("");
}

function show(text) {
  $("calibration-value").textContent = text;
}
