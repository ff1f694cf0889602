// Scenes: all settings under a name, kept by the program.

import { announce } from "./announce.js";
import { askToDelete, key } from "./ask.js";

const $ = (id) => document.getElementById(id);

/** Bind the form and the list; `send(message)`. Returns a handler of `scenes` messages. */
export function bindScenes(settings, send) {
  const ask = (action, name) => {
    settings.settle(); // the last change is part of what is kept
    return send({ type: "do", action, key: name });
  };
  $("scene-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("scene-name").value.trim();
    if (name && ask("keep_scene", name)) $("scene-name").value = "";
    $("scene-name").blur();
  });
  $("scene-programs").addEventListener("change", ({ target }) => ask("scene_programs", target.checked ? "scenes" : "presets"));

  const row = (name, number) => {
    const line = document.createElement("li");
    const recall = key(name, `Recall the scene ${name}`, () => ask("recall_scene", name) && announce(`Scene ${name}`));
    recall.dataset.scene = name;
    const about = document.createElement("span");
    about.className = "about";
    about.textContent = `program ${number}`;
    line.append(
      recall,
      about,
      key("Replace", `Replace the scene ${name} by the present settings`, () => ask("keep_scene", name)),
      key("Delete", `Delete the scene ${name}`, () => askToDelete(`Scene ${name}`, () => ask("delete_scene", name))),
    );
    return line;
  };
  return ({ names, programs }) => {
    $("scenes-none").hidden = names.length > 0;
    $("scenes").replaceChildren(...names.map(row));
    $("scene-programs").checked = programs === "scenes";
  };
}
