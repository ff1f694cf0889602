// A and B: all settings twice, to play the one against the other. They live in the program.

import { announce } from "./announce.js";

/** Bind the keys; `send(message)`. Returns a function that takes the name of the one that is played. */
export function bindSnapshots(settings, send) {
  const buttons = [...document.querySelectorAll("[data-snapshot]")];
  const copy = document.getElementById("copy-snapshot");
  let active = "";
  const ask = (message) => {
    settings.settle(); // what a hand has changed last belongs to the one that it heard
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
