// Whether this machine is fast enough for the roll. If not, it is painted with fewer pixels, since the
// engine may share the processor.

const WINDOW = 90; // frames in one window
const SLOW = 0.024; // seconds a frame; at 60 a second it is 0.017

/** Counts frames; true from `frame(seconds)` once most of a window's were slow. */
export class Pace {
  #n = 0;
  #nSlow = 0;

  /** Add the seconds since the last frame; a long pause (a hidden page) does not count. */
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
