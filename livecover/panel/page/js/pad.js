// The XY pad. X: the style from calm (0) to intense (1), from the model's next step on. Y: from soft to
// loud, by the velocity curve, from the next note on. The octave is not on it, since a step of an octave
// in mid-phrase is audible as a jump; it has its own stepper.

import { curveAt, curveText, loudnessOf } from "./curve.js";

const STEP = 0.02; // by an arrow key; with Shift five times as much
const NAMED = { calm: 0, balanced: 0.5, intense: 1 };

/** Return the pad's x for model.style, null for a style that is not between calm and intense. */
export function intensityOf(style) {
  return typeof style === "number" ? style : (NAMED[style] ?? null);
}

/** Return a text for model.style. */
export function styleText(style) {
  if (typeof style === "number") return `${Math.round(style * 100)} % intense`;
  if (Array.isArray(style)) return "as in a file";
  return style.startsWith("from:") ? `as in ${style.slice(5).split(/[\\/]/).at(-1)}` : style;
}

/** Bind the pad, its text and the presets to `settings`. */
export function bindPad(settings) {
  const pad = document.getElementById("pad");
  const dot = document.getElementById("pad-dot");
  const value = document.getElementById("style-value");
  const place = () => ({
    x: intensityOf(settings.get("model.style")) ?? 0.5,
    y: loudnessOf(settings.get("midi.velocity_curve") ?? 1) ?? 0.5,
  });
  const show = () => {
    const style = settings.get("model.style");
    if (style === undefined) return;
    const { x, y } = place();
    pad.dataset.place = intensityOf(style) === null ? "none" : "set";
    dot.style.transform = `translate(${x * pad.clientWidth}px, ${(1 - y) * pad.clientHeight}px)`;
    value.textContent = styleText(style);
    pad.setAttribute("aria-valuenow", String(Math.round(x * 100)));
    pad.setAttribute("aria-valuetext", `${styleText(style)}, ${curveText(settings.get("midi.velocity_curve") ?? 1)}`);
  };
  const move = (x, y, hasX = true, hasY = true) => {
    const values = {};
    if (hasX) values["model.style"] = Number(Math.max(0, Math.min(1, x)).toFixed(3));
    if (hasY) values["midi.velocity_curve"] = curveAt(y);
    settings.change(values);
  };
  drag(pad, (x, y) => move(x, 1 - y));
  pad.addEventListener("dblclick", () => move(0.5, 0.5));
  pad.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    const far = event.shiftKey ? 5 * STEP : STEP;
    const { x, y } = place();
    move(x + by[0] * far, y + by[1] * far, by[0] !== 0, by[1] !== 0);
  });
  settings.watch("model.style", show);
  settings.watch("midi.velocity_curve", show);
  new ResizeObserver(show).observe(pad);
}

/** Call `move(x, y)`, both 0 to 1 from the top left, while a finger or the mouse drags. */
export function drag(element, move) {
  const at = (event) => {
    const box = element.getBoundingClientRect();
    const inside = (value) => Math.max(0, Math.min(1, value));
    move(inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height));
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    at(event);
  });
  element.addEventListener("pointermove", (event) => element.hasPointerCapture(event.pointerId) && at(event));
}

/** Fill a row with a button for each of `values` of the setting `key`. */
export function fillChoices(row, key, values, settings) {
  row.replaceChildren(
    ...values.map((value) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "key";
      button.textContent = value;
      button.dataset.choice = value;
      button.addEventListener("click", () => settings.change({ [key]: value }));
      return button;
    }),
  );
  const show = (chosen) => {
    for (const button of row.children) button.setAttribute("aria-pressed", String(button.dataset.choice === chosen));
  };
  if (!row.dataset.bound) settings.watch(key, show);
  row.dataset.bound = "yes";
  show(settings.get(key));
}
