// The log: its last lines, the newest at the top.

const MOST = 200;
const list = document.getElementById("log");
let last = 0; // number of the newest line

/** Show a `log` message; a line may come twice. */
export function showLog({ lines }) {
  if (lines.length && lines.at(-1).number < last && lines[0].number === 1) list.replaceChildren((last = 0) || ""); // another server
  for (const line of lines) {
    if (line.number <= last) continue;
    last = line.number;
    list.prepend(row(line));
  }
  while (list.children.length > MOST) list.lastChild.remove();
  document.getElementById("log-none").hidden = list.children.length > 0;
}

function row({ at, level, text }) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date(at * 1000).toLocaleTimeString();
  line.dataset.level = level;
  line.append(time, level === "info" ? text : `${level}: ${text}`);
  return line;
}
