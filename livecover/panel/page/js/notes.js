// The notes received, in order. Times are the server's seconds.

export const MELODY = 1;

/** The last `capacity` notes, in arrays of fixed size, so that no frame creates garbage. */
export class NoteStore {
  constructor(capacity = 4096) {
    this.capacity = capacity;
    this.due = new Float64Array(capacity);
    this.end = new Float64Array(capacity); // Infinity until it is known
    this.pitch = new Uint8Array(capacity);
    this.velocity = new Uint8Array(capacity); // 0: it never sounded
    this.part = new Uint8Array(capacity);
    this.hand = new Int8Array(capacity);
    this.isMeasured = new Uint8Array(capacity);
    this.#open = new Int32Array(128).fill(-1);
    this.first = 0; // serial number of the oldest visible note
    this.next = 0; // serial number of the next
  }

  #open; // for each pitch: serial number of the open note, or -1

  /** Add one entry of a `notes` message. */
  take([due, pitch, velocity, part, hand]) {
    this.#close(pitch, due);
    if (velocity === 0) return;
    const k = this.next % this.capacity;
    this.due[k] = due;
    this.end[k] = Infinity;
    this.pitch[k] = pitch;
    this.velocity[k] = velocity;
    this.part[k] = part;
    this.hand[k] = hand;
    this.isMeasured[k] = 0;
    this.#open[pitch] = this.next;
    this.next += 1;
    this.first = Math.max(this.first, this.next - this.capacity);
  }

  #close(pitch, at) {
    const serial = this.#open[pitch];
    this.#open[pitch] = -1;
    if (serial < this.first) return;
    const k = serial % this.capacity;
    this.end[k] = Math.max(this.due[k], Math.min(this.end[k], at));
  }

  /** End every note at `at`; later notes never sound. */
  silence(at) {
    for (let serial = this.first; serial < this.next; serial += 1) {
      const k = serial % this.capacity;
      if (this.due[k] >= at) this.velocity[k] = 0;
      if (this.end[k] > at) this.end[k] = Math.max(at, this.due[k]);
    }
    this.#open.fill(-1);
  }

  /** Clear everything, for another server's clock. */
  clear() {
    this.first = this.next = 0;
    this.#open.fill(-1);
  }

  /** Skip the oldest notes, which ended before `time`. */
  forget(time) {
    while (this.first < this.next && this.end[this.first % this.capacity] < time) this.first += 1;
  }
}
