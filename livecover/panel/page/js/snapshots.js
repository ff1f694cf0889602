// A and B: all settings twice, to play the one against the other.

import { announce } from "./announce.js";
import { keep, recall } from "./kept.js";

const KEYS = [
  "audio.input", "model.model", "model.style", "decoder.density", "decoder.polyphony", "midi.midi_out",
  "midi.channel", "midi.melody_channel", "midi.left_channel", "midi.transpose", "midi.octave",
  "midi.velocity_curve", "time.latency", "play.parts", "play.hands", "play.hand_span", "play.pedal",
]; // not hold and mute: a hand does those

/** Two places for settings, one of which is played. */
export class Snapshots {
  constructor(settings) {
    this.settings = settings;
    this.slots = recall("snapshots", {});
    this.active = "A";
    for (const button of document.querySelectorAll("[data-snapshot]")) {
      button.addEventListener("click", () => this.choose(button.dataset.snapshot));
    }
    document.getElementById("copy-snapshot").addEventListener("click", () => this.copy());
  }

  /** Play the settings of `name`; what was played before is kept under the other. */
  choose(name) {
    if (name === this.active) return;
    const now = this.#read();
    this.#keep(this.active, now);
    this.active = name;
    const wanted = this.slots[name] ?? now;
    const differs = KEYS.filter((key) => key in wanted && JSON.stringify(wanted[key]) !== JSON.stringify(now[key]));
    if (differs.length) this.settings.change(Object.fromEntries(differs.map((key) => [key, wanted[key]])));
    this.#show();
    announce(`Snapshot ${name}`);
  }

  /** Let the other one be as this is. */
  copy() {
    const other = this.active === "A" ? "B" : "A";
    this.#keep(other, this.#read());
    announce(`Copied to ${other}`);
  }

  #read() {
    return Object.fromEntries(KEYS.map((key) => [key, this.settings.get(key)]).filter(([, value]) => value !== undefined));
  }

  #keep(name, values) {
    this.slots[name] = values;
    keep("snapshots", this.slots);
  }

  #show() {
    for (const button of document.querySelectorAll("[data-snapshot]")) {
      button.setAttribute("aria-pressed", String(button.dataset.snapshot === this.active));
    }
    document.getElementById("copy-snapshot").textContent = `Copy to ${this.active === "A" ? "B" : "A"}`;
  }
}
