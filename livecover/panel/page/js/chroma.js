// The song's chroma behind the roll: an image with a row every twentieth of a second, used as a ring
// buffer and scaled to the time span that is drawn.

const ROWS_PER_SECOND = 20;
const N_ROWS = 512;
const N_COLUMNS = 128; // one for each pitch
const LONGEST_GAP = 4; // rows that are filled if a message is late

export class ChromaCloud {
  #canvas = document.createElement("canvas");
  #row;
  #last = -Infinity; // number of the newest row

  constructor() {
    this.#canvas.width = N_COLUMNS;
    this.#canvas.height = N_ROWS;
    this.context = this.#canvas.getContext("2d");
    this.#row = this.context.createImageData(N_COLUMNS, 1);
  }

  /** Clear everything. */
  clear() {
    this.context.clearRect(0, 0, N_COLUMNS, N_ROWS);
    this.#last = -Infinity;
  }

  /** Add 12 values, 0 to 255; time in the server's seconds, when its notes sound. */
  add(moment, values, palette) {
    const row = Math.floor(moment * ROWS_PER_SECOND);
    const [red, green, blue] = palette.chroma;
    for (let pitch = 0; pitch < N_COLUMNS; pitch += 1) {
      const value = values[pitch % 12] / 255;
      this.#row.data.set([red, green, blue, 255 * palette.chromaMost * value * value], 4 * pitch);
    }
    const isNear = row - this.#last <= LONGEST_GAP && row >= this.#last;
    const from = isNear ? Math.min(this.#last + 1, row) : row;
    if (!isNear) this.#wipe(row);
    for (let k = from; k <= row; k += 1) this.context.putImageData(this.#row, 0, ((k % N_ROWS) + N_ROWS) % N_ROWS);
    this.context.clearRect(0, (row + 1) % N_ROWS, N_COLUMNS, 1); // the oldest row
    this.#last = row;
  }

  /** Clear the rows of a pause. */
  #wipe(row) {
    const passed = row - this.#last;
    if (!(passed < N_ROWS) || passed < 0) return this.clear();
    for (let k = this.#last + 1; k <= row; k += 1) this.context.clearRect(0, k % N_ROWS, N_COLUMNS, 1);
  }

  /** Draw the rows from `early` to `late` (seconds) so that `early` lies at height `top`. */
  draw(context, keys, early, late, top, bottom) {
    const newest = Math.min(late, (this.#last + 1) / ROWS_PER_SECOND);
    const oldest = Math.max(early, (this.#last + 2 - N_ROWS) / ROWS_PER_SECOND);
    if (!(newest > oldest)) return;
    const height = (time) => top + ((time - early) / (late - early)) * (bottom - top);
    const seam = Math.ceil((oldest * ROWS_PER_SECOND) / N_ROWS + 1e-9) * (N_ROWS / ROWS_PER_SECOND);
    if (seam < newest) {
      this.#part(context, keys, oldest, seam, height);
      this.#part(context, keys, seam, newest, height);
    } else this.#part(context, keys, oldest, newest, height);
  }

  #part(context, keys, from, to, height) {
    const n = (to - from) * ROWS_PER_SECOND;
    const first = (from * ROWS_PER_SECOND) % N_ROWS;
    const nColumns = keys.high - keys.low + 1;
    const y = height(from);
    context.drawImage(
      this.#canvas, keys.low, first, nColumns, n, // prettier-ignore
      keys.column(keys.low), y, nColumns * keys.semitone, height(to) - y,
    );
  }
}
