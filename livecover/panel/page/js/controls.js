// Binds every element with a setting's name (data-key) to that setting.

import { SCALES } from "./scales.js";

const LOOK = "look"; // the choice that looks for devices again
const PROGRAM = "app:"; // before a program's name, as an input
const CLOCK_PORT = "LiveCover Clock"; // made where no port has this name

/** Bind all controls of the page to `settings`; `look()` asks for the choices. */
export function bindControls(settings, look) {
  for (const element of document.querySelectorAll("[data-channels]")) fillChannels(element);
  for (const element of document.querySelectorAll("[data-key]")) {
    if (element.matches("button")) bindToggle(element, settings);
    else if (element.matches("[role=radiogroup]")) bindSegments(element, settings);
    else if (element.matches("[type=checkbox]")) bindSwitch(element, settings);
    else if (element.matches("select")) bindSelect(element, settings, look);
    else bindNumber(element, settings);
  }
  for (const button of document.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => step(button.parentElement.querySelector("input"), Number(button.dataset.step)));
  }
}

/** Change a number by its step, for its buttons and the shortcuts. */
export function step(input, by) {
  if (by > 0) input.stepUp();
  else input.stepDown();
  input.dispatchEvent(new Event("change"));
}

function bindToggle(button, settings) {
  const key = button.dataset.key;
  button.addEventListener("click", () => settings.change({ [key]: !settings.get(key) }));
  settings.watch(key, (value) => button.setAttribute("aria-pressed", String(value)));
}

function bindSwitch(input, settings) {
  input.addEventListener("change", () => settings.change({ [input.dataset.key]: input.checked }));
  settings.watch(input.dataset.key, (value) => (input.checked = value));
}

function bindSegments(group, settings) {
  group.addEventListener("change", (event) => settings.change({ [group.dataset.key]: event.target.value }));
  settings.watch(group.dataset.key, (value) => {
    for (const input of group.querySelectorAll("input")) input.checked = input.value === (value ?? "auto");
  });
}

function bindNumber(input, settings) {
  const key = input.dataset.key;
  const scale = SCALES[input.dataset.scale ?? "plain"];
  for (const limit of ["min", "max", "step"]) if (limit in scale) input[limit] = scale[limit];
  const isRange = input.type === "range";
  const output = isRange ? input.parentElement.querySelector("output") : null;
  const show = (value) => {
    input.value = scale.toPlace(value);
    if (!isRange) return;
    output.textContent = scale.text(value);
    input.setAttribute("aria-valuetext", scale.text(value));
    const share = (input.value - input.min) / (input.max - input.min);
    input.style.setProperty("--fill", `calc(14px + ${share} * (100% - 28px))`);
  };
  input.addEventListener(isRange ? "input" : "change", () => {
    if (!input.validity.valid) return show(settings.get(key));
    settings.change({ [key]: scale.toValue(input.value) });
  });
  settings.watch(key, show);
}

function bindSelect(select, settings, look) {
  const key = select.dataset.key;
  const isPort = select.dataset.choices === "ports";
  const show = () => {
    const value = settings.get(key);
    if (value === undefined) return;
    const text = JSON.stringify(value);
    if (![...select.options].some((option) => option.value === text)) {
      const names = Array.isArray(value) ? value : [String(value)];
      select.add(option(names.map(baseName).join(" + "), text), 0);
    }
    select.value = text;
  };
  select.addEventListener("change", () => {
    if (select.value !== LOOK) return settings.change({ [key]: JSON.parse(select.value) });
    look();
    show();
  });
  select.refill = (choices) => {
    for (const old of [...select.options]) old.remove();
    const found = choices.map(({ text, value, icon }) => option(text, JSON.stringify(isPort ? [value] : value), icon));
    select.append(...found, new Option("Refresh list…", LOOK));
    show();
  };
  settings.watch(key, show);
}

/** Return a choice of a list; its picture shows where the browser has pictures in lists. */
function option(text, value, icon) {
  const made = new Option(text, value);
  if (icon) {
    const picture = new Image(22, 22);
    picture.src = icon;
    picture.alt = "";
    made.prepend(picture);
  }
  return made;
}

/** Return a path's last part. */
const baseName = (path) => path.split(/[\\/]/).at(-1) || path;

/** Fill the choices that the server lists: inputs, ports, models. */
export function offer(choices) {
  const iconOf = (player) => (choices.icons.includes(player) ? `icons/${encodeURIComponent(player)}` : "symbols/program.svg");
  const inputIcon = ({ name, loopback }) => (name.startsWith(PROGRAM) ? iconOf(name.slice(PROGRAM.length)) : `symbols/${loopback ? "output" : "input"}.svg`);
  const named = (names) => names.map((name) => ({ text: name, value: name }));
  const off = { text: "Off", value: "off" };
  const outputs = [{ text: "The default output", value: "default" }, ...choices.outputs.map(({ name, text }) => ({ text, value: name }))];
  const lists = {
    inputs: choices.inputs.map((input) => ({ text: input.text, value: input.name, icon: inputIcon(input) })),
    ports: named(choices.ports),
    models: named(choices.models),
    outputs,
    players: [
      { text: "What plays", value: "auto", icon: "symbols/output.svg" },
      { text: "All programs", value: "all", icon: "symbols/output.svg" },
      ...choices.players.map((player) => ({ text: player, value: player, icon: iconOf(player) })),
    ],
    monitors: [off, ...outputs],
    clocks: [off, ...named([CLOCK_PORT, ...choices.ports])],
  };
  for (const select of document.querySelectorAll("[data-choices]")) {
    select.refill(lists[select.dataset.choices]);
    select.title = choices.problems.join("\n");
  }
}

function fillChannels(select) {
  if (select.dataset.channels) select.append(new Option(select.dataset.channels, "null"));
  for (let channel = 1; channel <= 16; channel += 1) select.append(new Option(String(channel), String(channel)));
}
