// The server's time on this page. All times here are seconds; the page's own is performance.now().

/** Return the page's time. */
export const pageNow = () => performance.now() / 1000;

/** Follows the server's clock by pings; the quickest answer is the most exact. */
export class ServerClock {
  static SIZE = 12; // answers that are kept
  static GLIDE = 0.02; // most seconds of correction a second
  static LEAP = 0.1; // seconds; a larger difference is another clock: jump

  #answers = [];
  #best = null; // server's time minus page's, by the quickest answer
  #shown = null;

  /** True once the time is known. */
  get isKnown() {
    return this.#shown !== null;
  }

  /** Round-trip time of the quickest answer, in seconds. */
  get roundTrip() {
    return Math.min(...this.#answers.map((answer) => answer.took));
  }

  /** Reset, for another server. */
  reset() {
    this.#answers = [];
    this.#best = this.#shown = null;
  }

  /** Add an answer: sent and received by the page's clock, `server` the server's time. */
  add(sent, received, server) {
    this.#answers.push({ took: received - sent, offset: server - (sent + received) / 2 });
    if (this.#answers.length > ServerClock.SIZE) this.#answers.shift();
    let best = this.#answers[0];
    for (const answer of this.#answers) if (answer.took <= best.took) best = answer;
    this.#best = best.offset;
    const isLeap = this.#shown === null || Math.abs(this.#best - this.#shown) > ServerClock.LEAP;
    if (isLeap || this.#answers.length < ServerClock.SIZE) this.#shown = this.#best;
  }

  /** Move the shown time gradually towards the measured one, `seconds` after the last call. */
  tick(seconds) {
    if (this.#shown === null) return;
    const step = ServerClock.GLIDE * seconds;
    this.#shown += Math.max(-step, Math.min(step, this.#best - this.#shown));
  }

  /** Return the page's time at which the server's clock shows `server`. */
  toPage(server) {
    return server - this.#shown;
  }

  /** Return the server's time at the page's time `page`. */
  toServer(page) {
    return page + this.#shown;
  }
}
