// The sizes of a picture on its way through a model, and the limits of the device.

import { Refused, isFinal } from "./refused.js";

export const MAX_RESULT_PX = 100_000_000; // pixels of the largest picture that is computed: 400 MB, and as much for its file
export const MIN_TILE_PX = 32;

// Returns {width, height, sizes}: the size of the result, and that of the picture before each pass through the model.
export function planPasses(width, height, scale, modelScale) {
  const result = resultSize(width, height, scale, modelScale);
  const sizes = [];
  for (const size of passesTo(result, width, height, modelScale)) {
    checkPixels(size.width * modelScale, size.height * modelScale);
    sizes.push(size);
  }
  return { ...result, sizes };
}

// Returns the number of pixels that go into a model for a picture, in all passes, whatever the limits.
export function computedPixels(width, height, scale, modelScale) {
  const passes = passesTo(resultSize(width, height, scale, modelScale), width, height, modelScale);
  return [...passes].reduce((sum, size) => sum + size.width * size.height, 0);
}

function resultSize(width, height, scale, modelScale) {
  return modelScale === 1 ? { width, height } : { width: rounded(width * scale), height: rounded(height * scale) };
}

// Yields the size of the picture before each pass.
function* passesTo(result, width, height, modelScale) {
  do {
    yield { width, height };
    [width, height] = [width * modelScale, height * modelScale];
  } while (width < result.width || height < result.height);
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
