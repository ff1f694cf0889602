// The style of a MIDI file, chosen or dropped anywhere on the page, where a song may be dropped too.

import { toast } from "./announce.js";
import { openSong } from "./song.js";

const SUFFIX = /\.midi?$/i;

/** Return bytes as base64. */
export function toBase64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 8192) text += String.fromCharCode(...bytes.subarray(k, k + 8192));
  return btoa(text);
}

/** Bind the button and the drop; `send(message)`, `limit()` the most bytes of a file. */
export function bindStyleFile(send, limit) {
  const take = async (file) => {
    if (!file) return;
    if (!SUFFIX.test(file.name)) return toast(`Expected a MIDI file (.mid) for the style, got ${file.name}`, "error");
    if (file.size > limit()) return toast(`${file.name} is too large: a style is read from at most ${Math.round(limit() / 1024)} kB`, "error");
    const data = toBase64(new Uint8Array(await file.arrayBuffer()));
    if (send({ type: "style_file", name: file.name, data })) toast(`Style of ${file.name}`);
  };
  const input = document.getElementById("style-file");
  input.addEventListener("change", () => {
    take(input.files[0]);
    input.value = "";
  });
  let depth = 0; // every element under the pointer fires
  const lit = (by) => {
    depth = by === 0 ? 0 : Math.max(0, depth + by);
    document.body.dataset.drag = depth ? "on" : "off";
  };
  addEventListener("dragenter", () => lit(1));
  addEventListener("dragleave", () => lit(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    lit(0);
    const file = event.dataTransfer.files[0];
    if (file && /^(audio|video)\//.test(file.type) && !SUFFIX.test(file.name)) openSong(file);
    else take(file);
  });
}
