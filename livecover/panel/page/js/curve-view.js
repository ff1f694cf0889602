// Draws the velocity curve, and lets it be dragged.

import { curveAt, curveText, curveThrough, heightAt, loudnessOf } from "./curve.js";
import { drag } from "./pad.js";

const KEY = "midi.velocity_curve";
const STEP = 0.02;

/** Bind the curve to `settings`. */
export function bindCurve(settings) {
  const view = document.getElementById("curve");
  const line = document.getElementById("curve-line");
  const area = document.getElementById("curve-area");
  const text = document.getElementById("curve-value");
  settings.watch(KEY, (curve) => {
    let path = "";
    for (let x = 0; x <= 100; x += 2) {
      path += `${path ? "L" : "M"}${x} ${(100 - 100 * heightAt(curve, x / 100)).toFixed(2)}`;
    }
    line.setAttribute("d", path);
    area.setAttribute("d", `${path}L100 100L0 100Z`);
    text.textContent = curveText(curve);
    view.setAttribute("aria-valuenow", String(Math.round(100 * (loudnessOf(curve) ?? 0.5))));
    view.setAttribute("aria-valuetext", curveText(curve));
  });
  drag(view, (x, y) => settings.change({ [KEY]: curveThrough(x, 1 - y) }));
  view.addEventListener("dblclick", () => settings.change({ [KEY]: 1 }));
  view.addEventListener("keydown", (event) => {
    const by = { ArrowDown: -1, ArrowLeft: -1, ArrowUp: 1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const loudness = loudnessOf(settings.get(KEY)) ?? 0.5;
    settings.change({ [KEY]: curveAt(loudness + by * (event.shiftKey ? 5 : 1) * STEP) });
  });
}
