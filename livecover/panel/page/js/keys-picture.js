// Images of the keyboard and the roll's background, painted once for each size and theme.

import { isBlack } from "./keyboard.js";

const layer = (width, height, ratio, paint) => {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  paint(context);
  return canvas;
};

/** Return the roll's background: darker columns for black keys, a line at each C. */
export function paintGround(keys, height, ratio, palette) {
  return layer(keys.width, height, ratio, (context) => {
    context.fillStyle = palette.roll;
    context.fillRect(0, 0, keys.width, height);
    for (let pitch = keys.low; pitch <= keys.high; pitch += 1) {
      context.fillStyle = palette.black;
      if (isBlack(pitch)) context.fillRect(keys.column(pitch), 0, keys.semitone, height);
      context.fillStyle = palette.line;
      if (pitch % 12 === 0) context.fillRect(Math.round(keys.column(pitch)), 0, 1, height);
    }
  });
}

/** Return the white keys, with names on each C. */
export function paintWhites(keys, height, ratio, palette) {
  return layer(keys.width, height, ratio, (context) => {
    context.fillStyle = palette.ebony;
    context.fillRect(0, 0, keys.width, height);
    for (const key of keys.whites) {
      shapeWhite(context, key, height);
      context.fillStyle = palette.ivory;
      context.fill();
    }
    const size = Math.min(12, keys.whites[0].width * 0.62);
    if (size < 7) return;
    context.fillStyle = palette.ivoryEdge;
    context.font = `600 ${size}px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = "center";
    for (const { pitch, x, width } of keys.whites) {
      if (pitch % 12 === 0) context.fillText(`C${pitch / 12 - 1}`, x + width / 2, height - 6);
    }
  });
}

/** Return the black keys, on a transparent background. */
export function paintBlacks(keys, height, ratio, palette) {
  return layer(keys.width, height, ratio, (context) => {
    for (const key of keys.blacks) {
      shapeBlack(context, key, height);
      context.fillStyle = palette.ebony;
      context.fill();
    }
  });
}

/** Begin the path of a white key whose top is at 0. */
export function shapeWhite(context, { x, width }, height, top = 0) {
  context.beginPath();
  context.roundRect(x + 0.5, top, width - 1, height, [0, 0, 3, 3]);
}

/** Begin the path of a black key. */
export function shapeBlack(context, { x, width }, height, top = 0) {
  context.beginPath();
  context.roundRect(x + 0.5, top, width - 1, height * 0.62, [0, 0, 2.5, 2.5]);
}

/** Return a soft round glow in a part's colour. */
export function paintGlow(part) {
  const size = 64;
  return layer(size, size, 1, (context) => {
    const glow = context.createRadialGradient(size / 2, size / 2, 0, size / 2, size / 2, size / 2);
    glow.addColorStop(0, part.full);
    glow.addColorStop(0.25, part.glow);
    glow.addColorStop(1, part.clear);
    context.fillStyle = glow;
    context.fillRect(0, 0, size, size);
  });
}
