// Takes: the recordings in the folder of takes, the newest first.

import { askToDelete, key } from "./ask.js";
import { clockText } from "./state.js";

const $ = (id) => document.getElementById(id);
const SOUNDS = ["mix", "song", "piano"]; // what is played: the first that there is

/** Bind the list; `send(message)`. Returns `take(status)` and `show(message)`. */
export function bindTakes(send) {
  const player = $("take-player");
  let wasRecording = false;
  const refresh = () => $("view-takes").hidden || send({ type: "do", action: "takes" });
  $("takes-reveal").addEventListener("click", () => send({ type: "do", action: "reveal_takes" }));

  const play = (name, kind) => {
    player.hidden = false;
    player.src = `takes/${encodeURIComponent(name)}/${kind}`;
    player.play().catch(() => {}); // the browser says so itself
  };
  const row = ({ name, seconds, n_notes: nNotes, is_whole: isWhole, files }) => {
    const line = document.createElement("li");
    const part = (kind, text) => {
      const span = document.createElement("span");
      span.className = kind;
      span.textContent = text;
      return span;
    };
    line.append(part("name", name), part("about", `${clockText(seconds)}, ${nNotes} notes${isWhole ? "" : ", not whole"}`));
    const sound = SOUNDS.find((kind) => files.includes(kind));
    if (sound) line.append(key(sound === "mix" ? "Play" : `Play ${sound}`, `Play ${name}`, () => play(name, sound)));
    if (files.includes("midi")) {
      const link = document.createElement("a");
      link.className = "key quiet";
      link.href = `takes/${encodeURIComponent(name)}/midi`;
      link.download = `${name}.mid`;
      link.textContent = "MIDI";
      link.setAttribute("aria-label", `MIDI file of ${name}`);
      line.append(link);
    }
    line.append(key("Delete", `Delete ${name}`, () => askToDelete(name, () => send({ type: "do", action: "delete_take", key: name }))));
    return line;
  };
  return {
    take({ recording }) {
      if (wasRecording && !recording) setTimeout(refresh, 1500); // its files are written meanwhile
      wasRecording = recording;
    },
    show({ takes }) {
      $("takes-none").hidden = takes.length > 0;
      $("takes").replaceChildren(...takes.map(row));
    },
  };
}
