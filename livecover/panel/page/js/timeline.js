// Time as height. From the bottom up: the ear, where the song is heard; the latency, on its own
// ruler; the keyboard, where notes strike now; and above it what has been played, rising.

/** Return the timeline of a canvas of `height` for a latency in seconds. */
export function layTimeline(height, latency) {
  const keys = Math.round(Math.max(40, Math.min(104, height * 0.15)));
  const margin = height < 360 ? 18 : 24; // below the ear: its words
  const wished = Math.max(latency, 0.05) * 340;
  const strip = Math.round(Math.max(28, Math.min(wished, height * 0.2)));
  const ear = height - margin;
  const keysBottom = ear - strip;
  const keysTop = keysBottom - keys;
  const speed = Math.max(60, Math.min(130, keysTop / 4.5)); // pixels a second of what was played
  const approach = strip / Math.max(latency, 0.05);
  return {
    height,
    keysTop,
    keysBottom,
    ear,
    speed,
    approach,
    seconds: keysTop / speed, // of what was played that fit
    /** Height of the moment `ago` seconds before now; negative is to come. */
    y: (ago) => (ago >= 0 ? keysTop - ago * speed : keysBottom - ago * approach),
  };
}
