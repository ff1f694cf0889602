// Level, load, counts and the parts of the latency.

const FLOOR = -60; // dBFS at the meter's left end
const FALL = 26; // dB a second
const HOLD = 1.6; // seconds for which the peak stays
const CLIPPING = -0.1; // dBFS

const $ = (id) => document.getElementById(id);

/** Write text only where it changes: a page that writes ten times a second is read out for ever. */
export const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const share = (dbfs) => Math.max(0, Math.min(1, 1 - dbfs / FLOOR));

export class Meters {
  #level = -120;
  #peak = -120;
  #peakUntil = 0;
  #last = 0;
  #budget = "";
  #said = 0;

  constructor() {
    this.meter = $("meter");
    this.cover = $("meter-cover");
    this.peak = $("meter-peak");
    $("clip").addEventListener("click", () => this.#lamp(false));
  }

  /** Take a `status`. */
  take(status, now) {
    this.#level = Math.max(this.#level, status.peak_dbfs);
    if (status.peak_dbfs >= this.#peak) {
      this.#peak = status.peak_dbfs;
      this.#peakUntil = now + HOLD;
    }
    if (status.playing && status.peak_dbfs >= CLIPPING) this.#lamp(true);
    this.#take(status);
    this.#takeBudget(status.budget);
    if (now - this.#said < 0.5) return;
    this.#said = now;
    write($("meter-text"), this.#peak > FLOOR ? `${this.#peak.toFixed(0).replace("-", "−")} dB` : "−∞");
    this.meter.setAttribute("aria-valuenow", String(Math.round(Math.max(FLOOR, this.#peak))));
  }

  /** Move the level, once a frame. */
  draw(now) {
    const passed = Math.min(0.2, now - this.#last);
    this.#last = now;
    this.#level = Math.max(-120, this.#level - FALL * passed);
    if (now > this.#peakUntil) this.#peak = Math.max(this.#level, this.#peak - 2 * FALL * passed);
    const [cover, place] = [1 - share(this.#level), share(this.#peak)];
    if (cover !== this.shownCover) this.cover.style.transform = `scaleX(${(this.shownCover = cover)})`;
    if (place === this.shownPlace) return;
    this.shownPlace = place;
    this.peak.style.transform = `translateX(${place * (this.meter.clientWidth - 3)}px)`;
  }

  #lamp(isLit) {
    const lamp = $("clip");
    if (lamp.dataset.lit === String(isLit)) return;
    lamp.dataset.lit = String(isLit);
    lamp.setAttribute("aria-label", isLit ? "Clipping: the input is too loud; press to put the lamp out" : "Clipping: none");
  }

  #take(status) {
    const percent = Math.round(100 * status.load);
    write($("load-text"), `${percent} %`);
    $("load").setAttribute("aria-valuenow", String(Math.min(100, percent)));
    $("load").dataset.high = String(status.load > 0.9);
    $("load-fill").style.transform = `scaleX(${Math.min(1, status.load)})`;
    $("load-max").style.left = `${Math.min(99, 100 * (status.max_load ?? 0))}%`;
    for (const [id, n] of [["n-late", status.n_late], ["n-dropped", status.n_dropped], ["n-overruns", status.n_overruns]]) {
      write($(id), String(n));
      $(id).dataset.bad = String(n > 0);
    }
  }

  #takeBudget(budget) {
    const text = JSON.stringify(budget);
    if (text === this.#budget) return;
    this.#budget = text;
    const total = budget.reduce((sum, [, seconds]) => sum + seconds, 0);
    write($("latency-total"), total > 0 ? `${Math.round(total * 1000)} ms` : "–");
    const parts = budget.filter(([, seconds]) => seconds >= 5e-4);
    const bars = [];
    const words = [];
    parts.forEach(([name, seconds], k) => {
      const tone = `color-mix(in oklab, var(--on) ${[88, 52, 70, 36][k % 4]}%, var(--surface))`;
      const ms = (seconds * 1000).toFixed(seconds < 0.00995 ? 1 : 0);
      const bar = document.createElement("i");
      bar.style.setProperty("--tone", tone);
      bar.style.width = `calc(${((100 * seconds) / total).toFixed(3)}% - 2px)`;
      bar.title = `${name}: ${ms} ms`;
      const word = document.createElement("li");
      word.style.setProperty("--tone", tone);
      const number = document.createElement("b");
      number.textContent = ms;
      word.append(`${name} `, number);
      bars.push(bar);
      words.push(word);
    });
    $("budget").replaceChildren(...bars);
    $("budget").setAttribute("aria-label", `Parts of the latency, milliseconds: ${words.map((word) => word.textContent).join(", ")}`);
    $("budget-parts").replaceChildren(...words);
  }
}
