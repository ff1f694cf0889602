// The chord and the key of the notes that are played, named for a musician to read.

import { FLATS, NAMES } from "./keyboard.js";
import { write } from "./meters.js";

const EVERY = 0.2; // seconds between two looks
const HELD = 0.45; // seconds for which a note counts after its onset, beside those that sound
const FORGET = 40; // seconds in which the key forgets two thirds
const LEAST = 3; // pitch classes of a chord
const SURE = 0.6; // least correlation of a key

/** [name, intervals above the root]; where several fit as well, the first. */
const CHORDS = [
  ["", [0, 4, 7]], ["m", [0, 3, 7]], ["7", [0, 4, 7, 10]], ["m7", [0, 3, 7, 10]], ["maj7", [0, 4, 7, 11]],
  ["sus4", [0, 5, 7]], ["sus2", [0, 2, 7]], ["dim", [0, 3, 6]], ["aug", [0, 4, 8]], ["m7♭5", [0, 3, 6, 10]],
  ["dim7", [0, 3, 6, 9]], ["6", [0, 4, 7, 9]], ["add9", [0, 2, 4, 7]],
]; // prettier-ignore

/** Krumhansl and Kessler, 1982: how well each pitch class fits a key of C. */
const MAJOR = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR = [6.33, 2.68, 3.52, 5.38, 2.6, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];

/** Keys that are written with flats, by their tonic. */
const WITH_FLATS = { major: [1, 3, 5, 8, 10], minor: [0, 2, 3, 5, 7, 10] };

/** Return the names of the twelve pitch classes as a key, such as "F major", writes them. */
export const namesIn = (key) => {
  const [tonic, mode] = key.split(" ");
  return (WITH_FLATS[mode] ?? []).includes(FLATS.indexOf(tonic)) ? FLATS : NAMES;
};

/** Return the chord of pitch classes (a Set) over a bass, such as C/E; "" where there is none. */
export function chordOf(classes, bass, names = NAMES) {
  if (classes.size < LEAST) return "";
  let best = "";
  let most = 0;
  for (let k = 0; k < 12; k += 1) {
    const root = (bass + k) % 12; // the bass first: where several fit, it is the root
    for (const [name, intervals] of CHORDS) {
      const nThere = intervals.filter((interval) => classes.has((root + interval) % 12)).length;
      if (nThere < intervals.length) continue;
      const score = 2 * nThere - classes.size + (k === 0 ? 0.5 : 0);
      if (score <= most) continue;
      most = score;
      best = names[root] + name + (k === 0 ? "" : `/${names[bass % 12]}`);
    }
  }
  return best;
}

/** Return the key of 12 weights, such as "A minor"; "" where none fits well. */
export function keyOf(weights) {
  let best = "";
  let most = SURE;
  for (const [profile, mode] of [[MAJOR, "major"], [MINOR, "minor"]]) {
    for (let tonic = 0; tonic < 12; tonic += 1) {
      const fit = correlation(weights, profile, tonic);
      const names = WITH_FLATS[mode].includes(tonic) ? FLATS : NAMES;
      if (fit > most) [most, best] = [fit, `${names[tonic]} ${mode}`];
    }
  }
  return best;
}

function correlation(weights, profile, tonic) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / 12;
  const [a, b] = [mean(weights), mean(profile)];
  let [both, one, other] = [0, 0, 0];
  for (let k = 0; k < 12; k += 1) {
    const x = weights[(tonic + k) % 12] - a;
    const y = profile[k] - b;
    both += x * y;
    one += x * x;
    other += y * y;
  }
  return one > 0 ? both / Math.sqrt(one * other) : 0;
}

export class Harmony {
  #weights = new Array(12).fill(0);
  #looked = 0;
  #seen = 0; // serial number of the first note that the key has not had
  #classes = new Set();
  #last = "";
  names = NAMES; // of the pitch classes, as the present key writes them

  /** `notes` are a NoteStore; `chords` gets [time, name] of each new chord. */
  constructor(notes, chords) {
    this.notes = notes;
    this.chords = chords;
  }

  clear() {
    this.#weights.fill(0);
    this.#seen = 0;
    this.chords.length = 0;
  }

  /** Look at what sounds at `now`, a few times a second. */
  draw(now) {
    if (Number.isNaN(now) || Math.abs(now - this.#looked) < EVERY) return;
    const passed = Math.max(0, Math.min(1, now - this.#looked));
    this.#looked = now;
    const [bass, began] = this.#look(now, passed);
    const key = keyOf(this.#weights);
    this.names = namesIn(key);
    const name = chordOf(this.#classes, bass, this.names);
    write(document.getElementById("chord"), name);
    write(document.getElementById("key"), key);
    if (name && name === this.#last && name !== this.chords.at(-1)?.[1]) this.chords.push([began, name]);
    this.#last = name; // one that passes within a look is none
  }

  /** Return the lowest pitch that sounds, and when the newest of them began. */
  #look(now, passed) {
    const { notes } = this;
    this.#classes.clear();
    for (let k = 0; k < 12; k += 1) this.#weights[k] *= Math.exp(-passed / FORGET);
    let bass = 127;
    let began = now;
    for (let serial = Math.max(notes.first, notes.next - 128); serial < notes.next; serial += 1) {
      const k = serial % notes.capacity;
      if (notes.due[k] > now || notes.velocity[k] === 0) continue;
      if (serial >= this.#seen) {
        this.#weights[notes.pitch[k] % 12] += 1;
        this.#seen = serial + 1;
      }
      if (notes.end[k] <= now && notes.due[k] < now - HELD) continue;
      this.#classes.add(notes.pitch[k] % 12);
      bass = Math.min(bass, notes.pitch[k]);
      began = Math.min(began, notes.due[k]);
    }
    return [bass, Math.max(began, now - 1)];
  }
}
