// Level, load, counts and the parts of the latency.

const FLOOR = -60; // dBFS at the meter's left end
const FALL = 26; // dB a second, as in the server's levels
const SILENCE = [[-120, -120, 0]]; // [level, held peak, samples clipped] of each channel

const $ = (id) => document.getElementById(id);

/** Write text only if it changes, or a screen reader would read it all the time. */
export const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const share = (dbfs) => Math.max(0, Math.min(1, 1 - dbfs / FLOOR));

export class Meters {
  #levels = SILENCE;
  #bars = [];
  #clipped = 0;
  #seen = []; // samples clipped in each channel when its mark was taken away
  #last = 0;
  #budget = "";
  #said = 0;

  constructor() {
    this.meter = $("meter");
    this.#channels(1);
    $("clip").addEventListener("click", () => this.#reset());
  }

  /** Show a `status`. */
  take(status, now) {
    this.#levels = status.levels?.length ? status.levels.map((level) => [...level]) : SILENCE;
    this.#levels.forEach(([, , clipped], k) => this.#hold(k, clipped));
    if (status.n_clipped > this.#clipped) this.#lamp(true);
    this.#clipped = status.n_clipped;
    const held = Math.max(...this.#levels.map(([, peak]) => peak));
    this.#take(status);
    this.#takeBudget(status.budget);
    if (now - this.#said < 0.5) return;
    this.#said = now;
    write($("meter-text"), held > FLOOR ? `${held.toFixed(0).replace("-", "−")} dB` : "−∞");
    this.meter.setAttribute("aria-valuenow", String(Math.round(Math.max(FLOOR, held))));
  }

  /** Update the level, once a frame. */
  draw(now) {
    const passed = Math.min(0.2, now - this.#last);
    this.#last = now;
    if (this.#bars.length !== this.#levels.length) this.#channels(this.#levels.length);
    this.#levels.forEach((level, k) => {
      const bar = this.#bars[k];
      const [cover, place] = [1 - share(level[0]), share(level[1])];
      level[0] -= FALL * passed; // until the next status
      if (cover !== bar.shownCover) bar.cover.style.transform = `scaleX(${(bar.shownCover = cover)})`;
      if (place === bar.shownPlace) return;
      bar.shownPlace = place;
      bar.peak.style.transform = `translateX(${place * (this.meter.clientWidth - 3)}px)`;
    });
  }

  /** Create a bar for each channel, one above the other. */
  #channels(n) {
    const part = (kind, k) => {
      const span = document.createElement("span");
      span.className = `meter-${kind}`;
      span.style.top = `${(100 * k) / n}%`;
      span.style.bottom = `calc(${(100 * (n - 1 - k)) / n}% + ${k < n - 1 ? 1 : 0}px)`;
      return span;
    };
    this.#bars = Array.from({ length: n }, (_, k) => ({ cover: part("cover", k), peak: part("peak", k) }));
    this.meter.replaceChildren(...this.#bars.flatMap(({ cover, peak }) => [cover, peak]));
  }

  /** Mark a channel that has clipped since the marks were taken away. */
  #hold(k, clipped) {
    if (clipped < (this.#seen[k] ?? 0)) this.#seen[k] = 0; // another input
    const isClipped = clipped > (this.#seen[k] ?? 0);
    if (this.#bars[k]) this.#bars[k].peak.dataset.clipped = String(isClipped);
  }

  #reset() {
    this.#levels.forEach(([, , clipped], k) => {
      this.#seen[k] = clipped;
      this.#hold(k, clipped);
    });
    this.#lamp(false);
  }

  #lamp(isLit) {
    const lamp = $("clip");
    if (lamp.dataset.lit === String(isLit)) return;
    lamp.dataset.lit = String(isLit);
    lamp.setAttribute("aria-label", isLit ? "Clipping: the input is too loud; press to reset" : "Clipping: none");
  }

  #take(status) {
    const percent = Math.round(100 * status.load);
    write($("load-text"), `${percent} %`);
    $("load").setAttribute("aria-valuenow", String(Math.min(100, percent)));
    $("load").dataset.high = String(status.load > 0.9);
    $("load-fill").style.transform = `scaleX(${Math.min(1, status.load)})`;
    $("load-max").style.left = `${Math.min(99, 100 * (status.max_load ?? 0))}%`;
    for (const [id, n] of [["n-late", status.n_late], ["n-dropped", status.n_dropped], ["n-overruns", status.n_overruns], ["n-midi-losses", status.n_midi_losses]]) {
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
