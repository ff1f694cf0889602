// A song in a file: opened or dropped, paused, sought, and repeated from A to B.

import { announce, toast } from "./announce.js";
import { write } from "./meters.js";
import { clockText } from "./state.js";

const $ = (id) => document.getElementById(id);

/** Hand a song over to the server, which plays it. */
export async function openSong(file) {
  toast(`Opening ${file.name}`);
  try {
    const answer = await fetch(`songs/${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    if (!answer.ok) return toast((await answer.text()).trim(), "error");
    const text = `${file.name} is heard now. It is kept until livecover ends; Save leaves it out`;
    toast(text);
    announce(text);
  } catch {
    toast(`No connection: ${file.name} was not opened`, "error");
  }
}

/** Bind the song's card; `send(message)`. Returns `take(status)`. */
export function bindSong(send) {
  const place = $("song-place");
  let song = null;
  let from = null; // A, until B is set
  let isHeld = false; // the hand is on the place
  const ask = (action, start = 0, end = 0) => send({ type: "song", action, start, end });

  $("song-file").addEventListener("change", ({ target }) => {
    if (target.files[0]) openSong(target.files[0]);
    target.value = "";
  });
  $("song-pause").addEventListener("click", () => ask(song?.paused ? "play" : "pause"));
  place.addEventListener("input", () => {
    isHeld = true;
    fill();
  });
  place.addEventListener("change", () => {
    isHeld = false;
    ask("seek", Number(place.value));
  });
  $("song-a").addEventListener("click", () => {
    from = song.position;
    show();
  });
  $("song-b").addEventListener("click", () => {
    const start = from ?? song.loop?.[0] ?? 0;
    if (song.position > start) ask("loop", start, song.position);
    from = null;
  });
  $("song-unloop").addEventListener("click", () => {
    from = null;
    ask("unloop");
  });

  const fill = () => place.style.setProperty("--fill", `calc(14px + ${place.value / place.max} * (100% - 28px))`);
  const show = () => {
    for (const id of ["song-pause", "song-place", "song-a", "song-b", "song-unloop"]) $(id).disabled = song === null;
    write($("song-pause"), song?.paused ? "Play" : "Pause");
    if (song === null) return write($("song-clock"), "–");
    if (!isHeld) {
      place.max = song.duration;
      place.value = song.position;
      place.setAttribute("aria-valuetext", clockText(song.position));
      fill();
    }
    const start = from ?? song.loop?.[0];
    const loop = start === undefined ? "" : `, ${clockText(start)} to ${from === null ? clockText(song.loop[1]) : "…"}`;
    write($("song-clock"), `${clockText(song.position)} of ${clockText(song.duration)}${loop}`);
    $("song-unloop").setAttribute("aria-pressed", String(song.loop !== null));
  };
  show();
  fill();
  return (status) => {
    if (song === null && status.song === null) return;
    song = status.song;
    if (song === null) from = null;
    show();
  };
}
