// The style sheet's colours for the canvas, which cannot read them.

export const LEVELS = 8; // of velocity
const [SOFTEST, LOUDEST] = [24, 112]; // velocities of the darkest and brightest notes

/** Return the level, 0 to LEVELS - 1, of a velocity. */
export function levelOf(velocity) {
  const level = Math.floor((LEVELS * (velocity - SOFTEST)) / (LOUDEST - SOFTEST));
  return Math.max(0, Math.min(LEVELS - 1, level));
}

/** Return a colour's [red, green, blue], 0 to 255. */
function resolve(probe, name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
}

const mix = (from, to, share) => from.map((value, k) => value + (to[k] - value) * share);
const css = (rgb, alpha = 1) => `rgb(${rgb.map(Math.round).join(" ")} / ${alpha})`;

/** Return the roll's colours in the present theme. */
export function readPalette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => resolve(probe, name);
  const roll = colour("roll");
  const now = colour("now");
  const isDark = roll[0] < 128;
  const part = (name) => {
    const full = colour(name);
    const notes = Array.from({ length: LEVELS }, (_, level) => {
      const share = (level + 0.5) / LEVELS;
      const loud = isDark ? mix(full, [255, 255, 255], Math.max(0, share - 0.75)) : full;
      return css(mix(roll, loud, 0.28 + 0.72 * share));
    });
    return { notes, full: css(full), clear: css(full, 0), glow: css(full, isDark ? 0.55 : 0.35) };
  };
  const palette = {
    roll: css(roll),
    rollClear: css(roll, 0),
    black: css(colour("roll-black")),
    line: css(colour("roll-line")),
    ivory: css(colour("ivory")),
    ivoryEdge: css(colour("ivory-edge")),
    ebony: css(colour("ebony")),
    names: Array.from({ length: LEVELS }, (_, level) => css(colour(isDark || level < LEVELS / 2 ? "ebony" : "ivory"))), // on notes
    muted: css(colour("muted")),
    now: css(now),
    nowFaint: css(now, 0.35),
    chroma: now,
    chromaMost: isDark ? 0.13 : 0.1, // alpha of the strongest pitch class
    parts: [part("accompaniment"), part("melody")],
  };
  probe.remove();
  return palette;
}
