// The song's beat: its light, tempo, bar and beat, and the keys that correct it.

import { write } from "./meters.js";

const $ = (id) => document.getElementById(id);

/** Return [bar, beat in it], both from 1, at a server's time; null where they are not known. */
export function placeAt(beat, now) {
  if (!beat?.bpm || beat.number === null || Number.isNaN(now)) return null;
  const beats = Math.floor(beat.number + ((now - beat.at) * beat.bpm) / 60);
  const bar = Math.floor(beats / beat.metre);
  return [Math.max(0, bar) + 1, beats - bar * beat.metre + 1];
}

/** Return {at, seconds, beats, number} of a bar for the roll; null where bars are not known. */
export function barOf(beat) {
  if (!beat?.bpm || beat.number === null || beat.state === "lost") return null;
  const second = 60 / beat.bpm;
  return { at: beat.at - (beat.number % beat.metre) * second, seconds: beat.metre * second, beats: beat.metre, number: Math.floor(beat.number / beat.metre) };
}

const SOURCES = { heard: "heard", tapped: "tapped", clock: "MIDI clock" };

/** Return what is said of a beat beside its tempo. */
export function describeBeat(beat) {
  if (!beat || beat.source === "off") return "off";
  if (beat.state === "holding") return "holding";
  if (beat.state === "locked") return SOURCES[beat.source];
  return { heard: "listening", tapped: "tap it", clock: "waits for MIDI clock" }[beat.source];
}

export class BeatView {
  #beat = null;
  #delay = 0;
  #shown = "";

  /** `send(message)`; `serverNow()` is the server's time, NaN before it is known. */
  constructor(send, serverNow) {
    this.lights = $("beat-lights");
    const correct = (correction) => {
      const at = serverNow();
      send({ type: "beat", correction, at: Number.isNaN(at) ? null : at });
    };
    for (const button of document.querySelectorAll("[data-beat]")) {
      // At the press, not at the release; a click of the keyboard has no press.
      button.addEventListener("pointerdown", (event) => event.button === 0 && correct(button.dataset.beat));
      button.addEventListener("click", (event) => event.detail === 0 && correct(button.dataset.beat));
    }
    this.#lightBar(4);
  }

  /** Take the `beat` of a `status`, and the seconds until its song is heard. */
  take(beat, delay = 0) {
    this.#beat = beat;
    this.#delay = delay;
    const isKnown = Boolean(beat?.bpm) && beat.state !== "lost";
    $("beat").dataset.state = isKnown ? beat.state : "lost";
    write($("beat-tempo"), isKnown ? `♩ ${beat.bpm.toFixed(1)}` : "♩ –");
    write($("beat-source"), describeBeat(beat));
    $("tempo").hidden = !isKnown;
    if (isKnown) write($("tempo"), `♩ ${Math.round(beat.bpm)}`);
  }

  /** Light the present beat, once a frame. */
  draw(now) {
    const place = $("beat").dataset.state === "lost" ? null : placeAt(this.#beat, now - this.#delay);
    const text = place ? `${place[0]}.${place[1]}` : "";
    if (text === this.#shown) return;
    this.#shown = text;
    write($("beat-place"), text || "–");
    if (place && this.lights.children.length !== this.#beat.metre) this.#lightBar(this.#beat.metre);
    [...this.lights.children].forEach((light, k) => light.classList.toggle("lit", place?.[1] === k + 1));
  }

  #lightBar(metre) {
    this.lights.replaceChildren(...Array.from({ length: metre }, () => document.createElement("li")));
  }
}
