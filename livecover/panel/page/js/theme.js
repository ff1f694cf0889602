// Dark or light: the system's theme, until the switch sets another.

import { keep, recall } from "./kept.js";

/** Bind the switch; `onChange()` is called now and after each change. */
export function bindTheme(onChange) {
  const system = matchMedia("(prefers-color-scheme: light)");
  const root = document.documentElement;
  const isLight = () => (root.dataset.theme ? root.dataset.theme === "light" : system.matches);
  const chosen = recall("theme", null);
  if (chosen) root.dataset.theme = chosen;
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isLight() ? "dark" : "light";
    keep("theme", root.dataset.theme);
    onChange();
  });
  system.addEventListener("change", onChange);
  onChange();
}
