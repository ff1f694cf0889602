// The state of every port, and of MIDI clock and Ableton Link that go out.

import { write } from "./meters.js";

const ROLES = { input: "hears the song", notes: "gets the notes", clock: "gets MIDI clock", link: "shares the beat", controllers: "hears controllers", output: "plays song and piano" };
const STATES = { open: "connected", gone: "gone", refused: "refused", closed: "not open" };

const list = document.getElementById("ports");
let shown = "";

/** Show the `ports` of a `status`, and whether clock is sent. */
export function showPorts({ ports, sync_running: isRunning, beat }) {
  const clock = ports.find(({ role }) => role === "clock");
  write(document.getElementById("sync-state"), describeSync(clock, isRunning, beat));
  write(document.getElementById("link-state"), ports.find(({ role }) => role === "link")?.detail ?? "off");
  const text = JSON.stringify(ports);
  if (text === shown) return;
  shown = text;
  list.replaceChildren(...ports.map(row));
}

/** Return what is said of MIDI clock. */
export function describeSync(clock, isRunning, beat) {
  if (!clock) return "off";
  if (clock.state !== "open") return STATES[clock.state];
  if (isRunning && beat?.bpm) return `sends ♩ ${beat.bpm.toFixed(1)}`;
  return beat?.source === "clock" ? "follows another clock" : "waits for a beat";
}

function row({ role, name, state, detail }) {
  const line = document.createElement("li");
  line.dataset.state = state;
  const part = (kind, text) => {
    const span = document.createElement("span");
    span.className = kind;
    span.textContent = text;
    return span;
  };
  line.append(part("dot", ""), part("name", name), part("word", STATES[state]), part("role", ROLES[role]));
  if (detail) line.append(part("detail", detail));
  return line;
}
