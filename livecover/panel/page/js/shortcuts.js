// Keyboard shortcuts, except in text fields; and their list in the help.

import { step } from "./controls.js";
import { keep, recall } from "./kept.js";

const $ = (id) => document.getElementById(id);
const press = (selector) => document.querySelector(selector).click();

/** [keys, description, action]; `settings` are the page's. */
const shortcuts = (settings) => [
  [["Space"], "Start, stop", () => press("#start")],
  [["Escape", "p"], "Panic: end all notes", () => press(".panic")],
  [["r"], "Record, end recording", () => press("#record")],
  [["m"], "Mute", () => press("[data-key='play.mute']")],
  [["h"], "Hold", () => press("[data-key='play.hold']")],
  [["1–9"], "Presets, calm to intense", (digit) => $("presets").children[digit - 1]?.click()],
  [["s"], "The pad; then arrows, ⇧ for larger steps", () => $("pad").focus()],
  [["a", "b"], "Snapshot A, B", (_, key) => press(`[data-snapshot=${key.toUpperCase()}]`)],
  [[",", "."], "Fewer, more notes", (_, key) => nudge("density", key === "." ? 5 : -5)],
  [["-", "+"], "Transpose down, up", (_, key) => step($("transpose"), key === "-" ? -1 : 1)],
  [["[", "]"], "Octave down, up", (_, key) => step($("octave"), key === "[" ? -1 : 1)],
  [["c"], "Cover, accompany", () => cycle(settings, "play.mode", ["cover", "accompany"])],
  [["y"], "On the beat, free", () => cycle(settings, "play.rhythm", ["beat", "free"])],
  [["f"], "Full, accompaniment, melody", () => cycle(settings, "play.parts", ["full", "accompaniment", "melody"])],
  [["t"], "Tap the beat", () => press("[data-beat=tap]")],
  [["/", "*"], "Half, double tempo", (_, key) => press(`[data-beat=${key === "/" ? "halve" : "double"}]`)],
  [["o"], "A bar begins here: one", () => press("[data-beat=one]")],
  [["d"], "Dark or light", () => press("#theme")],
  [["v"], "Still picture", () => press("#still")],
  [["?"], "This help", () => $("help").showModal()],
];

function nudge(id, steps) {
  const input = $(id);
  input.value = Number(input.value) + steps * Number(input.step);
  input.dispatchEvent(new Event("input"));
}

function cycle(settings, key, values) {
  settings.change({ [key]: values[(values.indexOf(settings.get(key)) + 1) % values.length] });
}

/** Return whether the focused element uses the key. */
function isTaken(key, target) {
  if (target.matches("input[type=number], input[type=text], select, textarea")) return key !== "Escape";
  if (key !== "Space") return false;
  return target.matches("button, a, label, audio, [type=radio], [type=checkbox], [type=file]");
}

/** Listen to the keyboard and fill the help. */
export function bindShortcuts(settings) {
  const table = shortcuts(settings);
  $("shortcut-list").replaceChildren(
    ...table.map(([keys, words]) => {
      const [row, term, text] = ["div", "dt", "dd"].map((name) => document.createElement(name));
      for (const key of keys) {
        const cap = document.createElement("kbd");
        cap.textContent = key === "Escape" ? "Esc" : key.length === 1 ? key.toUpperCase() : key;
        term.append(cap, " ");
      }
      text.textContent = words;
      row.append(term, text);
      return row;
    }),
  );
  const isOn = $("shortcuts-on");
  isOn.checked = recall("shortcuts", true);
  isOn.addEventListener("change", () => keep("shortcuts", isOn.checked));
  $("help-open").addEventListener("click", () => $("help").showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key === " " ? "Space" : event.key === "=" ? "+" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (document.querySelector("dialog[open]") || isTaken(key, event.target)) return;
    if (!isOn.checked && key !== "Escape") return;
    const isDigit = /^[1-9]$/.test(key);
    const found = table.find(([keys]) => keys.includes(key) || (isDigit && keys[0] === "1–9"));
    if (!found) return;
    event.preventDefault();
    found[2](Number(key), key);
  });
}
