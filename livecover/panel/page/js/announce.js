// What the page says: to a screen reader, and in notices that go away.

const STAY = { note: 3500, error: 8000 }; // milliseconds

/** Say a change of state to a screen reader. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** Show a notice; `kind` is note or error. A notice that is there already stays longer. */
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
