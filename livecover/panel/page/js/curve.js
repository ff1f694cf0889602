// The velocity curve, out = 127 (in / 127) ** gamma. The pad's height is the same number: the middle is
// gamma 1, a third of the height up halves it, down doubles it. At the ends a velocity of 80 becomes
// 108 and 34.

export const GAMMAS = { linear: 1, soft: 1.5, hard: 0.67 };
export const FIXED = 80;
const OCTAVES = 3; // of gamma, from the bottom to the top
const LEAST = 2 ** (-OCTAVES / 2);
const MOST = 2 ** (OCTAVES / 2);

/** Return gamma of midi.velocity_curve; null for "fixed". */
export function gammaOf(curve) {
  if (curve === "fixed") return null;
  return typeof curve === "string" ? (GAMMAS[curve] ?? 1) : curve;
}

/** Return loudness from 0 (soft) through 0.5 (as played) to 1 (loud); null for "fixed". */
export function loudnessOf(curve) {
  const gamma = gammaOf(curve);
  return gamma === null ? null : Math.max(0, Math.min(1, 0.5 - Math.log2(gamma) / OCTAVES));
}

/** Return the curve's gamma at a loudness, to two digits after the point. */
export function curveAt(loudness) {
  const gamma = 2 ** (OCTAVES * (0.5 - Math.max(0, Math.min(1, loudness))));
  return Number(Math.max(LEAST, Math.min(MOST, gamma)).toFixed(2));
}

/** Return the curve's height, 0 to 1, at `x` from 0 to 1. */
export function heightAt(curve, x) {
  const gamma = gammaOf(curve);
  return gamma === null ? FIXED / 127 : x ** gamma;
}

/** Return the output velocity. */
export function velocityOut(curve, velocity) {
  return Math.max(1, Math.min(127, Math.round(127 * heightAt(curve, velocity / 127))));
}

/** Return the gamma whose curve goes through (x, y), both 0 to 1. */
export function curveThrough(x, y) {
  const inside = (value) => Math.max(0.03, Math.min(0.97, value));
  const gamma = Math.log(inside(y)) / Math.log(inside(x));
  return Number(Math.max(LEAST, Math.min(MOST, gamma)).toFixed(2));
}

/** Return a text for a curve. */
export function curveText(curve) {
  if (curve === "fixed") return `every note ${FIXED}`;
  const gamma = gammaOf(curve);
  if (Math.abs(gamma - 1) < 0.03) return "as played";
  return gamma > 1 ? `softer, γ ${gamma.toFixed(2)}` : `louder, γ ${gamma.toFixed(2)}`;
}
