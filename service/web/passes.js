// The sizes of a picture on its way through a model, and the limits of the device.

import { Refused, isFinal } from "./refused.js";

export const MAX_RESULT_PX = 100_000_000; // pixels of the largest picture that is computed: 400 MB, and as much for its file
export const MIN_TILE_PX = 32;

// Returns {width, height, sizes}: the size of the result, and that of the picture before each pass through the model.
export function planPasses(width, height, scale, modelScale) {
  const result = modelScale === 1 ? { width, height } : { width: rounded(width * scale), height: rounded(height * scale) };
  const sizes = [];
  let [across, down] = [width, height];
  while (across < result.width || down < result.height || !sizes.length) {
    checkPixels(across * modelScale, down * modelScale);
    sizes.push({ width: across, height: down });
    [across, down] = [across * modelScale, down * modelScale];
  }
  return { ...result, sizes };
}

function checkPixels(width, height) {
  if (width * height <= MAX_RESULT_PX) return;
  throw new Refused("device.pixels", { width, height, most: MAX_RESULT_PX / 1e6 });
}

// Rounds halves to the even number, as Python does, so that the result has the size of the server's.
function rounded(value) {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
}

// Returns the result of attempt(tilePx). If it fails, for example for lack of memory, tiles of half the side are tried.
export async function withSmallerTiles(tilePx, attempt) {
  for (;;) {
    try {
      return await attempt(tilePx);
    } catch (error) {
      if (isFinal(error) || tilePx / 2 < MIN_TILE_PX) throw error;
      tilePx /= 2;
    }
  }
}
