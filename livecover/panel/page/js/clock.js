// The server's time on this page. All times here are seconds; the page's own is performance.now().

/** Return the page's time. */
export const pageNow = () => performance.now() / 1000;

/** Follows the server's clock by the answers to pings: the quickest answer tells the most. */
export class ServerClock {
  static SIZE = 12; // answers that are remembered
  static GLIDE = 0.02; // seconds by which what is shown may move in a second
  static LEAP = 0.1; // farther than this is another clock: go there at once

  #answers = [];
  #best = null; // server's time less page's, by the quickest answer
  #shown = null;

  /** True once a time can be told. */
  get isKnown() {
    return this.#shown !== null;
  }

  /** Seconds that the quickest answer took, there and back. */
  get roundTrip() {
    return Math.min(...this.#answers.map((answer) => answer.took));
  }

  /** Forget everything: another server. */
  reset() {
    this.#answers = [];
    this.#best = this.#shown = null;
  }

  /** Take an answer: sent and received by the page's clock, `server` what it said. */
  add(sent, received, server) {
    this.#answers.push({ took: received - sent, offset: server - (sent + received) / 2 });
    if (this.#answers.length > ServerClock.SIZE) this.#answers.shift();
    let best = this.#answers[0];
    for (const answer of this.#answers) if (answer.took <= best.took) best = answer;
    this.#best = best.offset;
    const isLeap = this.#shown === null || Math.abs(this.#best - this.#shown) > ServerClock.LEAP;
    if (isLeap || this.#answers.length < ServerClock.SIZE) this.#shown = this.#best;
  }

  /** Move what is shown toward what is known, for `seconds` that have passed: nothing jumps. */
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
