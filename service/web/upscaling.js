// Computes pictures with an opened model, tile by tile.

import { COLOR, OPACITY, isEven, isGrey, paste, toTensor } from "./pixels.js";
import { Refused } from "./refused.js";
import { resample } from "./resample.js";
import { pixelsOf, placeOf, planTiles } from "./tiling.js";

// Returns a picture {data, width, height} of the size of `passes`, as planPasses returns it. `step(share)` is called before
// each tile and may throw to stop.
export async function upscale(picture, { run, contract }, passes, tilePx, step) {
  const layers = isEven(picture) ? [COLOR] : [COLOR, OPACITY];
  const grey = isGrey(picture);
  const total = layers.length * passes.sizes.reduce((sum, { width, height }) => sum + width * height, 0);
  let done = 0;
  for (const _ of passes.sizes) {
    const plan = planTiles(picture.height, picture.width, contract, tilePx);
    const result = base(picture, plan, contract);
    const share = (picture.width * picture.height) / plan.tiles.length / total;
    for (const layer of layers) {
      for (const tile of plan.tiles) {
        await step(done);
        await compute(picture, result, { plan, tile, run, contract, layer, grey });
        done += share;
      }
    }
    picture = result;
  }
  return picture.width === passes.width && picture.height === passes.height ? picture : resample(picture, passes.width, passes.height);
}

// Returns the output for a whole picture before rounding: a Float32Array of planes.
export async function planesOf(picture, { run, contract }, tilePx) {
  const plan = planTiles(picture.height, picture.width, contract, tilePx);
  const [tall, wide] = [picture.height * plan.scale, picture.width * plan.scale];
  let planes = null;
  for (const tile of plan.tiles) {
    const output = await run(cut(picture, plan, tile, contract, COLOR));
    const [, channels, height, width] = output.dims;
    planes ??= new Float32Array(channels * tall * wide);
    const part = kept(plan, tile);
    for (let k = 0; k < channels; k++) {
      for (let row = 0; row < part.height; row++) {
        const from = (k * height + part.row + row) * width + part.column;
        planes.set(output.data.subarray(from, from + part.width), (k * tall + part.top + row) * wide + part.left);
      }
    }
  }
  return planes;
}

// Returns a picture of white pixels; throws a Refused error if there is no memory for it.
export function newPicture(width, height) {
  try {
    return { data: new Uint8ClampedArray(4 * width * height), width, height };
  } catch {
    throw new Refused("device.memory", { width, height });
  }
}

// A model of luma gets the colours from interpolation. The opacity that is the same everywhere is not computed.
function base(picture, { scale }, { output }) {
  const [width, height] = [picture.width * scale, picture.height * scale];
  const result = newPicture(width, height);
  if ((output.color ?? "rgb") !== "rgb") result.data.set(resample(picture, width, height).data);
  else result.data.fill(picture.data[3]);
  return result;
}

async function compute(picture, result, { plan, tile, run, contract, layer, grey }) {
  const { data, dims } = await run(cut(picture, plan, tile, contract, layer));
  const [, channels, height, width] = dims;
  paste(result, data, { stride: width, size: height * width, channels }, kept(plan, tile), contract.output, layer, grey);
}

function cut(picture, plan, tile, { input }, layer) {
  return toTensor(picture, pixelsOf(plan.rows, tile.rows), pixelsOf(plan.columns, tile.columns), input, layer);
}

function kept(plan, tile) {
  const [row, bottom, top] = placeOf(plan.rows, tile.rows);
  const [column, right, left] = placeOf(plan.columns, tile.columns);
  return { row, column, top, left, height: bottom - row, width: right - column };
}
