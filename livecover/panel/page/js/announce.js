// Announcements for screen readers, and notices that disappear.

const STAY = { note: 3500, error: 8000 }; // milliseconds

/** Announce a change of state to a screen reader. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** Show a notice; `kind` is note or error. The same notice again extends it. */
export function toast(text, kind = "note") {
  const box = document.getElementById("toasts");
  for (const old of box.children) if (old.textContent === text) old.remove();
  while (box.children.length > 2) box.firstChild.remove();
  const notice = document.createElement("p");
  notice.className = "toast";
  notice.dataset.kind = kind;
  notice.textContent = text;
  box.append(notice);
  setTimeout(() => notice.remove(), STAY[kind]);
}
