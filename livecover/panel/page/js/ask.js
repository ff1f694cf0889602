// Asks before something is deleted.

const dialog = document.getElementById("delete");
let act = () => {};

dialog.addEventListener("close", () => dialog.returnValue === "delete" && act());

/** Ask whether `name` is to be deleted; call `react` if so. */
export function askToDelete(name, react) {
  act = react;
  dialog.returnValue = "";
  document.getElementById("delete-name").textContent = name;
  dialog.showModal();
}

/** Return a button with a label for screen readers. */
export function key(text, label, react) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "key quiet";
  button.textContent = text;
  button.setAttribute("aria-label", label);
  button.addEventListener("click", react);
  return button;
}
