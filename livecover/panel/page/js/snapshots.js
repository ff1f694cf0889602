// Snapshots A and B of all settings, to compare. The server holds them.

import { announce } from "./announce.js";

/** Bind the buttons; `send(message)`. Returns a function that shows the active one's name. */
export function bindSnapshots(settings, send) {
  const buttons = [...document.querySelectorAll("[data-snapshot]")];
  const copy = document.getElementById("copy-snapshot");
  let active = "";
  const ask = (message) => {
    settings.settle(); // the last change belongs to the snapshot that was active
    return send({ type: "do", ...message });
  };
  for (const button of buttons) {
    button.addEventListener("click", () => ask({ action: "snapshot", key: button.dataset.snapshot }));
  }
  copy.addEventListener("click", () => ask({ action: "copy_snapshot" }) && announce(copy.textContent.replace("Copy", "Copied")));

  return (name) => {
    if (name === active) return;
    if (active) announce(`Snapshot ${name}`);
    active = name;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.snapshot === name));
    copy.textContent = `Copy to ${name === "A" ? "B" : "A"}`;
  };
}
