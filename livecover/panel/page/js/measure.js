// Measures when each note was first drawn at the keyboard or above.

const MOST = 64; // notes in one message
const EVERY = 0.5; // seconds from one message to the next

/** Notes each note's first frame; `report(notes)` is called with [[due, pitch, at], ...] if given. */
export class Measure {
  list = []; // {pitch, due, drawn}: the page's seconds; and late, their difference
  report = null;
  #unsaid = [];
  #said = 0;

  /** Add the frame of time `now` (server's), painted by `page` seconds. */
  frame(notes, now, page, clock) {
    for (let serial = notes.first; serial < notes.next; serial += 1) {
      const k = serial % notes.capacity;
      if (notes.isMeasured[k] || notes.velocity[k] === 0 || notes.due[k] > now) continue;
      notes.isMeasured[k] = 1;
      const due = clock.toPage(notes.due[k]);
      this.list.push({ pitch: notes.pitch[k], due, drawn: page, late: page - due });
      if (this.list.length > 20000) this.list.splice(0, 10000);
      if (this.report) this.#unsaid.push([notes.due[k], notes.pitch[k], clock.toServer(page)]);
    }
    if (this.#unsaid.length === 0 || page - this.#said < EVERY) return;
    this.#said = page;
    this.report(this.#unsaid.splice(0, MOST));
  }
}
