// Converts a setting's value to a control's position and back, and to text.

/** Values of a slider, with larger steps for larger values. */
const VOICES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 32, 48, 88];

const nearest = (rungs, value) =>
  rungs.reduce((best, rung, k) => (Math.abs(rung - value) < Math.abs(rungs[best] - value) ? k : best), 0);

const plain = { toPlace: Number, toValue: Number, text: String };

export const SCALES = {
  plain,
  /** Factor for the number of notes: the middle is 1, the ends a quarter and four. */
  octaves: {
    min: -2,
    max: 2,
    step: 0.05,
    toPlace: (value) => Math.log2(value),
    toValue: (place) => Number((2 ** place).toFixed(3)),
    text: (value) => `${value < 0.995 ? value.toFixed(2) : value.toFixed(1)}×`,
  },
  voices: {
    min: 0,
    max: VOICES.length - 1,
    step: 1,
    toPlace: (value) => nearest(VOICES, value),
    toValue: (place) => VOICES[Math.round(place)],
    text: (value) => (value >= 88 ? "all" : String(value)),
  },
  /** Seconds, or null for auto; shown as milliseconds, or empty. */
  milliseconds: {
    toPlace: (value) => (value === null ? "" : Math.round(value * 1000)),
    toValue: (place) => (place === "" ? null : Number(place) / 1000),
    text: (value) => (value === null ? "auto" : `${Math.round(value * 1000)} ms`),
  },
  /** Seconds, shown as milliseconds; empty is 0. */
  shift: {
    toPlace: (value) => Math.round(value * 1000),
    toValue: (place) => Number(place) / 1000,
    text: (value) => `${Math.round(value * 1000)} ms`,
  },
  decibels: {
    min: -60,
    max: 12,
    step: 1,
    toPlace: Number,
    toValue: Number,
    text: (value) => `${value > 0 ? "+" : ""}${String(Math.round(value)).replace("-", "−")} dB`,
  },
  gain: {
    min: -24,
    max: 24,
    step: 1,
    toPlace: Number,
    toValue: Number,
    text: (value) => `${value > 0 ? "+" : ""}${String(Math.round(value)).replace("-", "−")} dB`,
  },
  /** From none, 0, to all, 1. */
  share: {
    min: 0,
    max: 1,
    step: 0.05,
    toPlace: Number,
    toValue: Number,
    text: (value) => `${Math.round(100 * value)} %`,
  },
  /** Channels as "3, 4", or null for auto. */
  channels: {
    toPlace: (value) => (value ?? []).join(", "),
    toValue: (place) => (place.trim() === "" ? null : place.split(/[ ,]+/).filter(Boolean).map(Number)),
    text: (value) => (value === null ? "auto" : value.join(", ")),
  },
  /** A number, or null for auto. */
  optional: {
    toPlace: (value) => value ?? "",
    toValue: (place) => (place === "" ? null : Number(place)),
    text: (value) => (value === null ? "same" : String(value)),
  },
};
