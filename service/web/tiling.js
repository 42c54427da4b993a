// Cuts a picture into tiles by the contract of its model, as runtime/tiling.py does: tiles of equal size, each with exactly
// the halo of the contract. Tiles at the border are moved inwards, not padded, so the model sees the true border.
//
// The model sees the extended picture: the picture with `lead` pixels before it and as many after it as the context, the
// multiple and the minimum of the size law require. All positions of a span count from its first pixel.

import { Refused } from "./refused.js";

const STEP_PX = 8; // sides are multiples of it, so that pictures of similar size share a tile shape
const MAX_ASPECT = 2; // largest ratio of a tile's side to that of the square tile with the same area
const UNBOUNDED_PX = 1_000_000;
const NONE = { top: 0, bottom: 0, left: 0, right: 0 };

export const roundUp = (length, multiple) => Math.ceil(length / multiple) * multiple;
const roundDown = (length, multiple) => Math.floor(length / multiple) * multiple;
const range = (start, stop, step = 1) => Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, k) => start + k * step);

// Returns {rows, columns, scale, tiles}. A tile has at most about tilePx * tilePx input pixels, halo included.
export function planTiles(height, width, contract, tilePx) {
  const [rows, columns] = tilingAxes(height, width, contract);
  const [tall, wide] = sides(rows, columns, tilePx);
  const tiles = spans(rows, tall).flatMap((row) => spans(columns, wide).map((column) => ({ rows: row, columns: column })));
  return { rows, columns, scale: contract.height.scale, tiles };
}

// A model with statistics averages the whole picture, and one without a finite halo depends on all of it: both get one tile.
export function tilingAxes(height, width, contract) {
  const halo = contract.statistics?.length || contract.halo?.top === undefined ? null : contract.halo;
  const { fill = "edge", ...context } = contract.context ?? NONE;
  const crop = contract.crop ?? NONE;
  const rows = { before: context.top, after: context.bottom, crop: crop.top, cropped: crop.top + crop.bottom, fill };
  const columns = { before: context.left, after: context.right, crop: crop.left, cropped: crop.left + crop.right, fill };
  return [
    axis(height, contract.height, halo && [halo.top, halo.bottom], rows),
    axis(width, contract.width, halo && [halo.left, halo.right], columns),
  ];
}

function axis(length, law, halo, around) {
  const { scale, offset = 0, multiple = 1, minimum = 1, maximum = null } = law;
  if (scale * (around.before + around.after) + offset !== around.cropped) {
    throw new Refused("model.unbalanced");
  }
  const fitted = (px) => roundUp(Math.max(px, minimum), multiple);
  const longest = roundDown(Math.min(UNBOUNDED_PX, maximum ?? UNBOUNDED_PX), multiple);
  const made = {
    length, scale, offset, multiple,
    padded: fitted(length + around.before + around.after),
    smallest: fitted(minimum),
    largest: longest >= minimum ? longest : fitted(minimum),
    halo: halo && aligned(halo, law, around),
    lead: around.before,
    crop: around.crop,
    fill: around.fill,
  };
  made.overlap = made.halo ? made.halo[0] + made.halo[1] : 0;
  made.shortest = Math.max(made.smallest, made.overlap + multiple);
  made.keepStart = roundDown(Math.floor(made.crop / scale), multiple);
  made.keepStop = made.padded + Math.ceil(offset / scale);
  made.needed = length + Math.ceil(made.crop / scale);
  if (made.padded > made.largest && !(made.halo && made.shortest <= made.largest)) {
    throw new Refused("model.side", { most: made.largest, needed: made.padded });
  }
  return made;
}

// Returns the pixels of a span before and after its kept part. Starts are multiples, because a model may treat a pixel by its
// position modulo the multiple.
function aligned([first, last], { scale, offset = 0, multiple = 1 }, around) {
  const before = Math.max(0, first - around.before + Math.ceil(around.crop / scale));
  const after = Math.max(0, last + around.before - Math.floor(around.crop / scale), Math.ceil(-offset / scale));
  return [roundUp(before, multiple), roundUp(after, multiple)];
}

// Returns the height and width of tiles that compute the fewest pixels in all; of equal ones, the fewest tiles.
function sides(rows, columns, tilePx) {
  const limits = [tilePx, ...range(Math.floor(tilePx / MAX_ASPECT) + 1, MAX_ASPECT * tilePx + 1, STEP_PX)];
  const talls = [...new Set(limits.map((limit) => side(rows, limit)))];
  const shapes = talls.map((tall) => [tall, side(columns, Math.min(Math.floor((tilePx * tilePx) / tall), MAX_ASPECT * tilePx))]);
  const cost = ([tall, wide]) => {
    const tiles = count(rows, tall) * count(columns, wide);
    return [tiles * tall * wide, tiles, Math.max(tall, wide)];
  };
  return shapes.reduce((best, shape) => (less(cost(shape), cost(best)) ? shape : best));
}

const less = (one, other) => {
  const first = one.findIndex((value, k) => value !== other[k]);
  return first >= 0 && one[first] < other[first];
};

// Returns the length of equal spans: the shortest that needs no more spans than `tilePx` does. A span of three overlaps keeps
// a third of itself or more, so a wide halo makes longer spans.
function side(axis, tilePx) {
  if (!axis.halo) return axis.padded;
  const least = Math.min(Math.max(axis.shortest, roundDown(3 * axis.overlap, axis.multiple)), axis.largest);
  const length = Math.min(Math.max(roundDown(tilePx, axis.multiple), least), axis.largest);
  return axis.padded <= length ? axis.padded : Math.max(least, fittedSide(axis, length));
}

function fittedSide(axis, length) {
  const number = count(axis, length);
  const fitted = Math.ceil((extent(axis) + (number - 1) * axis.overlap) / number);
  return Math.min(length, roundUp(fitted, commonMultiple(axis.multiple, STEP_PX)));
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);
const commonMultiple = (a, b) => (a / divisor(a, b)) * b;

// The length of the part of the extended picture that spans cover.
function extent({ halo, needed, padded, keepStart }) {
  const [before, after] = halo ?? [0, 0];
  return Math.min(needed + after, padded) - Math.max(keepStart - before, 0);
}

function count(axis, length) {
  return length >= axis.padded ? 1 : 1 + Math.max(0, Math.ceil((extent(axis) - length) / (length - axis.overlap)));
}

// Returns the spans of this length, in order: the input pixels from start to stop, and those whose output is kept.
export function spans(axis, length) {
  if (length >= axis.padded) return [{ start: 0, stop: axis.padded, keepStart: axis.keepStart, keepStop: axis.keepStop }];
  const made = [];
  for (let keepStart = axis.keepStart; keepStart < axis.needed; keepStart = made.at(-1).keepStop) {
    const start = Math.min(Math.max(keepStart - axis.halo[0], 0), axis.padded - length);
    const stop = start + length;
    made.push({ start, stop, keepStart, keepStop: stop === axis.padded ? axis.keepStop : stop - axis.halo[1] });
  }
  return made;
}

// Returns the pixel of the picture at each position of a span. Beyond the border it is the border pixel, or its mirror image.
export function pixelsOf(axis, span) {
  return Int32Array.from({ length: span.stop - span.start }, (_, k) => filled(span.start + k - axis.lead, axis));
}

function filled(position, { length, fill }) {
  if (fill !== "reflect" || length === 1) return Math.min(Math.max(position, 0), length - 1);
  const period = 2 * (length - 1);
  const folded = ((position % period) + period) % period;
  return Math.min(folded, period - folded);
}

// Returns the first and one past the last kept output of a span, and the place of the first in the result.
export function placeOf(axis, span) {
  const first = Math.max(span.keepStart * axis.scale, axis.crop);
  const stop = Math.min(span.keepStop * axis.scale, axis.crop + axis.length * axis.scale);
  const start = span.start * axis.scale;
  return [first - start, stop - start, first - axis.crop];
}
