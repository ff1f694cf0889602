// Announcements for screen readers, and notices that disappear.

const STAY = { note: 3500, error: 8000 }; // milliseconds

/** Announce a change of state to a screen reader; what was announced just before is read too. */
export function announce(text) {
  const live = document.getElementById("live");
  while (live.children.length > 2) live.firstChild.remove();
  const said = document.createElement("p");
  said.textContent = text;
  live.append(said);
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
