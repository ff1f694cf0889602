// Whether this machine keeps up with the picture: where it does not, a coarser one costs less, and the
// engine, which may share the processor, comes first.

const WINDOW = 90; // frames that are looked at together
const SLOW = 0.024; // seconds a frame; at 60 a second it is 0.017

/** Counts frames; true from `frame(seconds)` once most of a window's were slow. */
export class Pace {
  #n = 0;
  #nSlow = 0;

  /** Take the seconds since the frame before; a long pause is a hidden page and does not count. */
  frame(seconds) {
    if (seconds > 0.5) return false;
    this.#n += 1;
    if (seconds > SLOW) this.#nSlow += 1;
    if (this.#n < WINDOW) return false;
    const isSlow = this.#nSlow > WINDOW / 2;
    this.#n = this.#nSlow = 0;
    return isSlow;
  }
}
