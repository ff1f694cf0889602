// Shows livecover's state: text, lamp, the message over the roll, and the transport buttons.

import { announce, toast } from "./announce.js";
import { write } from "./meters.js";
import { keepAwake } from "./wake.js";

const $ = (id) => document.getElementById(id);

/** Return minutes and seconds. */
export const clockText = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const LONG = 4; // seconds between two tries from which on more is said

/** Return [name, text, title and text of the message over the roll, or null] of the state. */
export function describe(link, status, names) {
  if (link === "quit") return ["offline", "Ended", "livecover has ended", "Close this page. Its icon starts it again."];
  if (link === "offline") {
    const text = names.wait < LONG
      ? "livecover may still be playing. Trying to connect again."
      : "Still trying. If livecover was restarted, open the new address that it printed.";
    return ["offline", "No connection", "Connection lost", text];
  }
  if (link === "connecting" || !status) return ["connecting", "Connecting", null, null];
  if (!status.playing && status.fault) return ["idle", "Stopped", "It stopped", status.fault];
  if (!status.playing) return ["idle", "Ready", "Ready", `Press Start, and the piano follows the input: ${names.input}.`];
  if (!status.connected) {
    const source = status.source || names.input;
    return ["lost", `Waiting for ${source}`, `Waiting for ${source}`, "The input is gone. Playing goes on when it is back."];
  }
  if (!status.midi_connected) {
    const title = "Waiting for the MIDI port";
    return ["lost", title, title, `${status.sink} is gone. Notes go on as soon as it is back.`];
  }
  const muted = names.isMuted ? ", muted" : "";
  if (status.recording_fault) return ["failed", status.recording_fault.split(":")[0], null, null];
  if (status.recording) return ["recording", `Recording${muted}`, null, null];
  if (["listening", "resting"].includes(status.accompanist)) {
    return ["playing", status.accompanist === "resting" ? `Resting${muted}` : `Listening${muted}`, null, null];
  }
  return ["playing", status.asleep ? `Listening${muted}` : `Playing${muted}`, null, null];
}

export class StateView {
  #link = "connecting";
  #status = null;
  #said = "";
  #wait = 0;
  #recordedFrom = 0;
  #keepAwake = keepAwake();

  constructor(settings, send) {
    this.settings = settings;
    for (const button of document.querySelectorAll("[data-do]")) {
      if (button.id !== "start") button.addEventListener("click", () => send({ type: "do", action: button.dataset.do }));
    }
    $("start").addEventListener("click", () => send({ type: "do", action: this.#status?.playing ? "stop" : "start" }));
    $("record").addEventListener("click", () => send({ type: "do", action: this.#status?.recording ? "end_record" : "record" }));
    document.querySelector(".panic").addEventListener("click", () => announce("All notes end"));
    settings.watch("play.mute", () => this.#show());
    settings.watch("audio.input", () => this.#show());
  }

  /** The socket is open. */
  connect() {
    this.#link = "open";
    this.#status = null;
    this.#show();
  }

  /** The socket is closed; the next try is in `wait` seconds. */
  lose(wait) {
    if (this.#link !== "quit") this.#link = "offline";
    this.#wait = wait;
    this.#show();
  }

  /** It was told to end. */
  quit() {
    this.#link = "quit";
    this.#show();
  }

  /** The input is gone; the next status has it too. */
  loseSource() {
    if (this.#status) this.take({ ...this.#status, connected: false });
  }

  /** Take a `status`. */
  take(status) {
    const isTaken = (known) => known?.recording && known.playing;
    if (isTaken(status) && !isTaken(this.#status)) this.#recordedFrom = status.seconds;
    const fault = status.recording_fault ?? "";
    if (fault && fault.split(":")[0] !== this.#status?.recording_fault?.split(":")[0]) toast(fault, "error");
    this.#status = status;
    this.#show();
    $("state-text").title = fault;
    this.#keepAwake(status.playing);
    write($("song-time"), clockText(status.seconds ?? 0));
    $("tuning").hidden = !status.playing || Math.abs(status.a4_hz - 440) <= 0.5;
    write($("tuning"), `A ${status.a4_hz.toFixed(0)}`);
    const taken = clockText(Math.max(0, status.seconds - this.#recordedFrom));
    const recording = status.playing ? taken : "Armed"; // what is armed begins with what plays
    write($("record-text"), status.recording ? recording : "Record");
    $("record").setAttribute("aria-pressed", String(status.recording));
    $("record").setAttribute("aria-label", status.recording ? "End recording" : "Record");
  }

  #show() {
    const [name, words, title, text] = describe(this.#link, this.#status, {
      input: $("input").selectedOptions[0]?.textContent || String(this.settings.get("audio.input") ?? ""),
      wait: this.#wait,
      isMuted: this.settings.get("play.mute") === true,
    });
    document.body.dataset.state = name;
    document.body.dataset.playing = String(this.#status?.playing === true);
    write($("start-text"), this.#status?.playing ? "Stop" : "Start");
    write($("state-text"), words);
    $("veil").hidden = title === null;
    if (title !== null) {
      write($("veil-title"), title);
      write($("veil-text"), text);
    }
    if (words === this.#said) return;
    this.#said = words;
    announce(words);
  }
}
