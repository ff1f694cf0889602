// Quit: where livecover was started by its icon, the page is where it ends.

const $ = (id) => document.getElementById(id);

/** Bind the button and its dialog; `send(message)`, `onQuit()` once it was sent. */
export function bindQuit(send, onQuit) {
  const dialog = $("quitting");
  $("quit").addEventListener("click", () => dialog.showModal());
  $("quit-now").addEventListener("click", () => {
    dialog.close();
    if (send({ type: "do", action: "quit" })) onQuit();
  });
}
