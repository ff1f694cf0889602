// The piano roll. Each frame paints one instant of the server's clock.

import { ChromaCloud } from "./chroma.js";
import { HIGHEST, LOWEST, NAMES, layKeys, widen } from "./keyboard.js";
import { paintBlacks, paintGlow, paintGround, paintWhites, shapeBlack, shapeWhite } from "./keys-picture.js";
import { LEVELS, levelOf } from "./palette.js";
import { layTimeline } from "./timeline.js";

const NARROW = 640; // pixels of width below which only the octaves in use are shown
const FLASH = 0.28; // seconds for which a note that lands shines
const HEAD = 12; // pixels of a note that is coming and whose end is not known
const DECAY = 1.2; // seconds in which a column pales in the still picture

/** Return the level at which a key is painted, brighter than its note, by `#lit`. */
const keyLevel = (lit) => Math.min(LEVELS - 1, ((lit - 1) % LEVELS) + 2);

export class Roll {
  isStill = false; // no scrolling: keys and columns light up and pale
  isCalm = false; // no flashes
  isTimed = false; // the latency is known: something plays
  bar = null; // {at, seconds, beats} of the song, where a clock tells it
  finest = 2.5; // pixels of the picture for one of the page, at most
  chords = []; // [server's time, name] of the notes' chords, in order
  pedal = []; // [due, 1 or 0] of the sustain pedal, in order
  #range = [36, 96];
  #lit = new Int16Array(128); // each frame: 1 + part * LEVELS + level of the note on a key, or 0
  #latency = 0.2;
  #size = { width: 0, height: 0, ratio: 1 };

  constructor(canvas, notes) {
    this.canvas = canvas;
    this.notes = notes;
    this.context = canvas.getContext("2d", { alpha: false });
    this.chroma = new ChromaCloud();
    this.names = NAMES; // of the twelve pitch classes
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  /** Set the colours of a theme. */
  paintWith(palette) {
    this.palette = palette;
    this.glows = palette.parts.map(paintGlow);
    this.chroma.clear();
    this.resize();
  }

  /** Set the latency in seconds: the distance from the input line to the keyboard. */
  setLatency(latency) {
    this.isTimed = latency > 0;
    if (!this.isTimed || Math.abs(latency - this.#latency) < 5e-4) return;
    this.#latency = latency;
    this.resize();
  }

  /** Add chroma at time `at`. */
  addChroma(at, values) {
    if (this.palette) this.chroma.add(at + this.#latency, values, this.palette);
  }

  /** Widen a narrow roll to show this pitch. */
  reveal(pitch) {
    const [low, high] = widen(this.#range, pitch);
    if (low === this.#range[0] && high === this.#range[1]) return;
    this.#range = [low, high];
    if (this.#size.width < NARROW) this.resize();
  }

  /** Paint fewer pixels, on a slow machine. */
  coarsen() {
    if (Math.min(devicePixelRatio || 1, this.finest) <= 1) return;
    this.finest = this.finest > 1.5 ? 1.5 : 1;
    this.resize();
  }

  /** Compute the layout and paint what does not move. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = Math.min(devicePixelRatio || 1, this.finest);
    if (!width || !height || !this.palette) return;
    this.#size = { width, height, ratio };
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.keys = width < NARROW ? layKeys(...this.#range, width) : layKeys(LOWEST, HIGHEST, width);
    this.time = layTimeline(height, this.#latency);
    const high = this.time.keysBottom - this.time.keysTop;
    this.ground = paintGround(this.keys, height, ratio, this.palette);
    this.whites = paintWhites(this.keys, high, ratio, this.palette);
    this.blacks = paintBlacks(this.keys, high, ratio, this.palette);
    this.fade = this.context.createLinearGradient(0, 0, 0, this.time.keysTop * 0.3);
    this.fade.addColorStop(0, this.palette.roll);
    this.fade.addColorStop(1, this.palette.rollClear);
    this.font = getComputedStyle(document.body).fontFamily;
  }

  /** Paint the time `now` (the server's seconds; NaN if not known). */
  draw(now) {
    if (!this.keys) return;
    const { context, time } = this;
    const { width, height, ratio } = this.#size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.drawImage(this.ground, 0, 0, width, height);
    this.#lit.fill(0);
    if (!Number.isNaN(now)) {
      this.notes.forget(now - time.seconds - 1);
      if (!this.isStill) this.#drawTime(now);
      for (let part = 0; part < 2; part += 1) this.#drawNotes(now, part);
      if (!this.isStill) this.#drawChords(now);
    }
    context.fillStyle = this.fade;
    context.fillRect(0, 0, width, time.keysTop * 0.3);
    this.#drawKeys();
    if (!Number.isNaN(now) && !this.isCalm && !this.isStill) this.#drawLandings(now);
    this.#drawLines(now);
  }

  /** Paint the chroma, and a line for each second. */
  #drawTime(now) {
    const { context, time, keys, palette } = this;
    this.chroma.draw(context, keys, now - time.seconds, now, 0, time.keysTop);
    this.chroma.draw(context, keys, now, now + this.#latency, time.keysBottom, time.ear);
    if (!this.isTimed) return;
    context.fillStyle = palette.line;
    if (this.bar) {
      // Where bars are known: a line for each beat, a strong one for each bar.
      const beat = this.bar.seconds / this.bar.beats;
      const first = this.bar.at + this.#latency;
      for (let k = Math.floor((now - first) / beat); now - first - k * beat < time.seconds; k -= 1) {
        const y = Math.round(time.y(now - first - k * beat));
        const isBar = k % this.bar.beats === 0;
        context.fillRect(0, y, keys.width, isBar ? 3 : 1);
        if (isBar) this.#label(String(this.bar.number + k / this.bar.beats + 1), 6, y - 9, "left");
      }
      return;
    }
    for (let second = Math.floor(now); now - second < time.seconds; second -= 1) {
      context.fillRect(0, Math.round(time.y(now - second)), keys.width, 1);
    }
  }

  /** Write the chords where they began. */
  #drawChords(now) {
    const { time } = this;
    while (this.chords.length && now - this.chords[0][0] > time.seconds) this.chords.shift();
    for (const [at, name] of this.chords) {
      const y = time.y(now - at);
      if (at <= now && y > time.keysTop * 0.2) this.#label(name, this.keys.width - 8, y - 9, "right");
    }
  }

  #label(text, x, y, align) {
    const { context, palette } = this;
    context.font = `600 13px ${this.font}`;
    context.textBaseline = "middle";
    context.textAlign = align;
    context.fillStyle = palette.muted;
    context.fillText(text, x, y);
    context.fillStyle = palette.line;
  }

  #drawNotes(now, part) {
    const { notes, keys } = this;
    const gap = keys.semitone > 6 ? 1 : 0.5;
    for (let serial = notes.first; serial < notes.next; serial += 1) {
      const k = serial % notes.capacity;
      const velocity = notes.velocity[k];
      const pitch = notes.pitch[k];
      if (notes.part[k] !== part || velocity === 0 || pitch < keys.low || pitch > keys.high) continue;
      const level = levelOf(velocity);
      const isSounding = notes.due[k] <= now && notes.end[k] > now;
      if (isSounding) this.#lit[pitch] = 1 + part * LEVELS + level;
      this.context.fillStyle = this.palette.parts[part].notes[isSounding ? Math.min(LEVELS - 1, level + 2) : level];
      const x = keys.column(pitch) + gap;
      const width = keys.semitone - 2 * gap;
      if (this.isStill) this.#drawStill(now, k, x, width);
      else this.#drawMoving(now, k, x, width, isSounding);
    }
  }

  #drawMoving(now, k, x, width, isSounding) {
    const { notes, time } = this;
    const [due, end] = [notes.due[k], notes.end[k]];
    if (due <= now) {
      const bottom = isSounding ? time.keysTop + 4 : time.y(now - end);
      this.#bar(x, time.y(now - due), width, bottom);
    }
    if (end <= now || due > now + this.#latency) return;
    const top = due > now ? time.y(now - due) : time.keysBottom - 4;
    if (end !== Infinity) return this.#bar(x, top, width, Math.min(time.ear, time.y(now - end)));
    if (due > now) this.#bar(x, top, width, Math.min(time.ear, top + HEAD));
    this.context.globalAlpha = 0.3;
    this.#bar(x, top, width, time.ear);
    this.context.globalAlpha = 1;
  }

  #drawStill(now, k, x, width) {
    const { notes, time, context } = this;
    if (notes.due[k] > now) return;
    const rest = 1 - (now - notes.due[k]) / (notes.end[k] > now ? 4 * DECAY : DECAY);
    if (rest <= 0) return;
    context.globalAlpha = rest;
    this.#bar(x, time.keysTop * 0.3, width, time.keysTop);
    context.globalAlpha = 1;
  }

  #bar(x, top, width, bottom) {
    const high = Math.max(3, bottom - top);
    this.context.beginPath();
    this.context.roundRect(x, top, width, high, Math.min(width / 2, high / 2, 4));
    this.context.fill();
  }

  #drawKeys() {
    const { context, keys, time, palette } = this;
    const high = time.keysBottom - time.keysTop;
    context.drawImage(this.whites, 0, time.keysTop, keys.width, high);
    for (const key of keys.whites) this.#light(key, shapeWhite, high);
    context.drawImage(this.blacks, 0, time.keysTop, keys.width, high);
    for (const key of keys.blacks) this.#light(key, shapeBlack, high);
    if (keys.whites[0].width >= 12) this.#nameKeys(high);
    context.fillStyle = palette.now;
    context.fillRect(0, time.keysTop - 1, keys.width, 2);
  }

  /** Write the note's name on each key that sounds. */
  #nameKeys(high) {
    const { context, keys, time, palette } = this;
    context.font = `700 ${Math.min(13, keys.semitone + 3)}px ${this.font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let pitch = keys.low; pitch <= keys.high; pitch += 1) {
      if (!this.#lit[pitch]) continue;
      context.fillStyle = palette.names[keyLevel(this.#lit[pitch])];
      const isWhite = NAMES[pitch % 12].length === 1;
      context.fillText(this.names[pitch % 12], keys.column(pitch) + keys.semitone / 2, time.keysTop + high * (isWhite ? 0.72 : 0.45));
    }
  }

  #light(key, shape, high) {
    const lit = this.#lit[key.pitch];
    if (lit === 0) return;
    shape(this.context, key, high, this.time.keysTop);
    const part = this.palette.parts[lit > LEVELS ? 1 : 0];
    this.context.fillStyle = part.notes[keyLevel(lit)];
    this.context.fill();
  }

  /** Paint a short glow at each onset. */
  #drawLandings(now) {
    const { context, notes, keys, time } = this;
    for (let serial = notes.next - 1; serial >= notes.first; serial -= 1) {
      const k = serial % notes.capacity;
      const age = now - notes.due[k];
      if (age > 2) break; // found in about this order: what comes before has landed long ago
      if (age < 0 || age > FLASH || notes.velocity[k] === 0) continue;
      const rest = 1 - age / FLASH;
      const reach = keys.semitone * (1.6 + 2 * (notes.velocity[k] / 127)) * (0.7 + 0.3 * rest);
      const x = keys.column(notes.pitch[k]) + keys.semitone / 2;
      context.globalAlpha = rest * rest;
      const glow = this.glows[notes.part[k]];
      context.drawImage(glow, x - reach, time.keysTop - 1.6 * reach, 2 * reach, 3.2 * reach);
    }
    context.globalAlpha = 1;
  }

  /** Paint the input line and the latency's ruler, with their labels. */
  #drawLines(now) {
    const { context, keys, time, palette } = this;
    context.fillStyle = palette.nowFaint;
    context.fillRect(0, time.ear, keys.width, 1.5);
    for (let ms = 50; ms < this.#latency * 1000; ms += 50) {
      const wide = ms % 100 === 0 ? 14 : 8;
      const y = Math.round(time.y(-ms / 1000));
      context.fillRect(0, y, wide, 1);
      context.fillRect(keys.width - wide, y, wide, 1);
    }
    const size = time.height < 360 ? 12 : 14;
    context.fillStyle = palette.muted;
    context.font = `500 ${size}px ${this.font}`;
    context.textBaseline = "middle";
    const y = (time.ear + time.height) / 2 + 1;
    context.textAlign = "left";
    context.fillText("the song is heard here", 12, y);
    if (!this.isTimed) return;
    while (this.pedal.length > 1 && this.pedal[1][0] <= now) this.pedal.shift();
    if (this.pedal.length && this.pedal[0][0] <= now && this.pedal[0][1]) {
      context.textAlign = "center";
      context.fillStyle = palette.now;
      context.fillText("pedal", keys.width / 2, y);
      context.fillRect(0, time.keysBottom, keys.width, 3);
      context.fillStyle = palette.muted;
    }
    context.textAlign = "right";
    context.fillText(`the piano ${Math.round(this.#latency * 1000)} ms later`, keys.width - 12, y);
  }
}
