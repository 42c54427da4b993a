// Reads image files into pixels with the codecs of the browser, and writes them.

import { phrase } from "./languages.js";
import { encodePng } from "./png.js";
import { Refused } from "./refused.js";

const QUALITY = 0.9;
const WRITABLE = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp" };

// Returns an ImageBitmap, upright. `close` it after use.
export function decode(blob) {
  return createImageBitmap(blob).catch(() => {
    throw new Refused("browser.read");
  });
}

// Returns the pixels {data, width, height} of an ImageBitmap, in sRGB, 8 bits.
export function pixelsOfBitmap(bitmap) {
  const { width, height } = bitmap;
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return { data: context.getImageData(0, 0, width, height).data, width, height };
  } catch {
    throw new Refused("device.memory", { width, height });
  }
}

// Returns {blob, note}. An empty format means that of the original, or PNG if browsers do not write it.
export async function encode(picture, format, original) {
  const type = WRITABLE[format] ?? (Object.values(WRITABLE).includes(original) ? original : "image/png");
  try {
    const blob = type === "image/png" ? await encodePng(picture) : await written(picture, type);
    return { blob, note: [original, WRITABLE[format]].includes(blob.type) ? null : phrase("note.png") };
  } catch {
    throw new Refused("browser.write", { width: picture.width, height: picture.height });
  }
}

// A browser that does not write WebP returns PNG.
function written({ data, width, height }, type) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return canvas.convertToBlob({ type, quality: QUALITY });
}
