// MIDI learn: while it is on, each control that can be mapped has a learn button.

import { announce, toast } from "./announce.js";

/** Bind the switch; `send(message)`. Returns handlers of the server's `learn` and `status`
 * messages. */
export function bindLearn(send) {
  const toggle = document.getElementById("learn");
  const keys = new Map();
  for (const field of document.querySelectorAll("[data-learn]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "learn-key";
    button.textContent = "learn";
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", `Learn a MIDI control for ${field.dataset.learn}`);
    button.addEventListener("click", () => send({ type: "do", action: "learn", key: field.dataset.learn }));
    keys.set(field.dataset.learn, button);
    field.append(button);
  }
  const turn = (isOn) => {
    document.body.dataset.learning = isOn ? "on" : "off";
    toggle.setAttribute("aria-pressed", String(isOn));
  };
  toggle.addEventListener("click", () => {
    const isOn = document.body.dataset.learning !== "on";
    turn(isOn);
    if (isOn) toast("Press “learn” at a control, then move a knob of your controller");
  });
  const showLearning = ({ learns }) => {
    toggle.hidden = learns !== true;
    if (toggle.hidden) turn(false);
  };
  const learned = ({ key, waiting, control }) => {
    const button = keys.get(key);
    if (!button) return;
    button.setAttribute("aria-pressed", String(waiting === true));
    button.textContent = waiting ? "move a knob" : (control ?? "learn");
    if (control && !waiting) announce(`${key} follows ${control}`);
  };
  return { learned, showLearning };
}
