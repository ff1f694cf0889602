// Save: shows the lines to write first, and writes only these.

const $ = (id) => document.getElementById(id);

/** Bind the button and its dialog; `send(message)`. Returns a handler of the server's message. */
export function bindSave(settings, send) {
  const dialog = $("unsaved");
  let shown = ""; // the id of what the dialog shows
  let isWanted = false; // an answer may come after the dialog was closed
  const ask = () => send({ type: "do", action: "unsaved" });

  $("save").addEventListener("click", () => {
    settings.settle(); // what a hand has changed last is asked for, too
    isWanted = ask();
  });
  dialog.addEventListener("close", () => (isWanted = false));
  $("unsaved-write").addEventListener("click", () => send({ type: "save", id: shown }));

  return {
    unsaved({ path, lines, has_song: hasSong, id }) {
      if (!isWanted) return;
      shown = id;
      $("unsaved-path").textContent = path;
      $("unsaved-none").hidden = lines.length > 0;
      $("unsaved-lines").hidden = lines.length === 0;
      $("unsaved-song").hidden = !hasSong;
      $("unsaved-write").disabled = lines.length === 0;
      $("unsaved-lines").tBodies[0].replaceChildren(...lines.map(row));
      if (!dialog.open) dialog.showModal();
    },
    changed: () => dialog.open && ask(), // by whatever hand: what is shown is what would be written
    close() {
      isWanted = false;
      dialog.close();
    },
  };
}

function row(texts) {
  const line = document.createElement("tr");
  line.append(...texts.map((text, k) => {
    const cell = document.createElement(k === 0 ? "th" : "td");
    const box = document.createElement("div");
    if (k === 0) cell.scope = "row";
    box.textContent = text;
    cell.append(box);
    return cell;
  }));
  return line;
}
