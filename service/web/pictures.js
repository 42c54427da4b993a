// Pictures in files: their sizes, small images of them, and what the server refuses before anything is sent.

import { bytes } from "./languages.js";
import { Refused } from "./refused.js";

const THUMBNAIL_PX = 96;
const LARGEST_PX = 100_000_000; // larger pictures are not decoded for a small image
const SUFFIXES = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif", "image/tiff": "tif" };
let drawn = Promise.resolve();

export const isModel = (file) => /\.onnx$/i.test(file.name);

// Returns {width, height}, or null if the browser does not display the format. Browsers read the size without all pixels.
export function sizeOf(blob) {
  const image = new Image();
  const address = URL.createObjectURL(blob);
  const size = new Promise((resolve) => {
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => resolve(null);
  });
  image.src = address;
  return size.finally(() => URL.revokeObjectURL(address));
}

// Throws a Refused error if a file cannot be a picture. The browser does not know the type of every picture, and says only when
// a file is read that it is a folder, or that it has changed since it was chosen.
export async function expectPicture(file) {
  const { name, type } = file;
  if (type && !type.startsWith("image/") && type !== "application/octet-stream") throw new Refused("limit.type", { name });
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Refused("limit.unreadable", { name });
  });
}

// Throws a Refused error if a file breaks a limit of the server, as far as the browser can tell.
export function expectWithin(limits, { name, size: length }, size, scale) {
  if (!limits) return;
  if (length > limits.max_bytes) throw new Refused("limit.bytes", { name, bytes: bytes(length), most: bytes(limits.max_bytes) });
  if (!size) return;
  const { width, height } = size;
  if (width * height > limits.max_pixels) throw new Refused("limit.pixels", { name, width, height, most: limits.max_pixels / 1e6 });
  const result = { width: Math.round(width * scale), height: Math.round(height * scale) };
  if (result.width * result.height > limits.max_output_pixels) {
    throw new Refused("limit.result", { name, ...result, most: limits.max_output_pixels / 1e6 });
  }
}

// Draws the middle of a picture, one picture after the other, because each is decoded whole.
export function drawThumbnail(canvas, file) {
  canvas.width = canvas.height = THUMBNAIL_PX;
  drawn = drawn.then(async () => {
    const size = await sizeOf(file);
    const bitmap = size && size.width * size.height <= LARGEST_PX ? await createImageBitmap(file).catch(() => null) : null;
    if (!bitmap) return;
    const side = Math.min(bitmap.width, bitmap.height);
    const [left, top] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, left, top, side, side, 0, 0, THUMBNAIL_PX, THUMBNAIL_PX);
    bitmap.close();
  }).catch(() => {}); // the row stays without an image
}

export function resultName(name, { type }, size) {
  const stem = (name || "picture").replace(/\.[^.]*$/, "");
  return `${stem}${size ? `-${size.width}x${size.height}` : ""}.${SUFFIXES[type] ?? "png"}`;
}

export const canCopy = () => Boolean(navigator.clipboard?.write && window.ClipboardItem);

// Copies a picture as PNG, the one format that every clipboard takes.
export async function copy(blob) {
  await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(blob) })]).catch(() => {
    throw new Refused("copy.failed");
  });
}

async function asPng(blob) {
  if (blob.type === "image/png") return blob;
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
