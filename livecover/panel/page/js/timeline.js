// Maps time to height. From the bottom: the input line (the song's present), the latency with its
// ruler, the keyboard (the piano's present), and above it the past.

/** Return the timeline of a canvas of `height` for a latency in seconds. */
export function layTimeline(height, latency) {
  const keys = Math.round(Math.max(40, Math.min(104, height * 0.15)));
  const margin = height < 360 ? 18 : 24; // for the label below the input line
  const wished = Math.max(latency, 0.05) * 340;
  const strip = Math.round(Math.max(28, Math.min(wished, height * 0.2)));
  const ear = height - margin;
  const keysBottom = ear - strip;
  const keysTop = keysBottom - keys;
  const speed = Math.max(60, Math.min(130, keysTop / 4.5)); // pixels a second above the keyboard
  const approach = strip / Math.max(latency, 0.05);
  return {
    height,
    keysTop,
    keysBottom,
    ear,
    speed,
    approach,
    seconds: keysTop / speed, // of the past that are visible
    /** Height of the time `ago` seconds before now; negative is the future. */
    y: (ago) => (ago >= 0 ? keysTop - ago * speed : keysBottom - ago * approach),
  };
}
