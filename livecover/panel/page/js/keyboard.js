// Positions of the keys. At the back of the keyboard every semitone has the same width, so notes and
// black keys form even columns; in front, seven white keys share an octave.

export const LOWEST = 21; // A0
export const HIGHEST = 108; // C8
export const FLATS = ["C", "D♭", "D", "E♭", "E", "F", "G♭", "G", "A♭", "A", "B♭", "B"];
export const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

const WHITE = [0, -1, 1, -1, 2, 3, -1, 4, -1, 5, -1, 6]; // which of its octave's white keys, or -1

/** True for a black key. */
export const isBlack = (pitch) => WHITE[pitch % 12] < 0;

/** Return the pitch's name, for example C4 for 60. */
export const pitchName = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);

/** Return the left edge of a white key, in semitones from pitch 0. */
const whiteStart = (pitch) => Math.floor(pitch / 12) * 12 + (WHITE[pitch % 12] * 12) / 7;

/** Return the keys from `low` to `high`, both white, over `width`. */
export function layKeys(low, high, width) {
  const start = whiteStart(low);
  const semitone = width / (whiteStart(high) + 12 / 7 - start);
  const column = (pitch) => (pitch - start) * semitone;
  const whites = [];
  const blacks = [];
  for (let pitch = low; pitch <= high; pitch += 1) {
    if (isBlack(pitch)) blacks.push({ pitch, x: column(pitch), width: semitone });
    else whites.push({ pitch, x: (whiteStart(pitch) - start) * semitone, width: (semitone * 12) / 7 });
  }
  return { low, high, width, semitone, column, whites, blacks };
}

/** Return [low, high] of whole octaves with the range and `pitch`, within the piano's. */
export function widen([low, high], pitch) {
  while (pitch < low && low > LOWEST) low = Math.max(LOWEST, low - 12);
  while (pitch > high && high < HIGHEST) high = Math.min(HIGHEST, high + 12);
  return [low, high];
}
