// Converts pixels (RGBA, 8 bits) to tensors and back, as runtime/tiled_picture.py and runtime/alpha.py do.

const LUMA = [0.299, 0.587, 0.114]; // weights of R, G and B in BT.601
const BLOCK_PX = 4; // side of the blocks of the finest level of `bleed`

// A layer is computed by itself: the colours, or the opacity as a grey picture.
export const COLOR = "color";
export const OPACITY = "opacity";

const channelsOf = (pixels) => (pixels.color === "rgb" ? 3 : 1);

// Returns {data, dims} of a tile, (1, C, rows, columns). `rows` and `columns` are the pixels of the picture in the tile.
export function toTensor({ data, width }, rows, columns, pixels, layer) {
  const { low = 0, high = 1 } = pixels;
  const channels = channelsOf(pixels);
  const size = rows.length * columns.length;
  const values = new Float32Array(channels * size);
  const factor = (high - low) / 255;
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = 4 * (row * width + column);
      if (channels === 3) for (let k = 0; k < 3; k++) values[k * size + to] = low + factor * data[layer === OPACITY ? from + 3 : from + k];
      else values[to] = low + factor * (layer === OPACITY ? data[from + 3] : lumaAt(data, from));
      to++;
    }
  }
  return { data: values, dims: [1, channels, rows.length, columns.length] };
}

const lumaAt = (data, at) => LUMA[0] * data[at] + LUMA[1] * data[at + 1] + LUMA[2] * data[at + 2];

// Writes the part of a tile's output, planes of `stride` values a row, that starts at (first row, first column), to a picture.
// `grey` reduces the colours to their luma. A model that computes luma only leaves the chroma that the picture holds.
export function paste(picture, planes, { stride, size, channels }, part, { low = 0, high = 1 }, layer, grey) {
  const factor = 255 / (high - low);
  const level = (at, k) => (planes[k * size + at] - low) * factor;
  for (let row = 0; row < part.height; row++) {
    let from = (part.row + row) * stride + part.column;
    let to = 4 * ((part.top + row) * picture.width + part.left);
    for (let column = 0; column < part.width; column++, from++, to += 4) {
      const first = level(from, 0);
      const luma = channels === 1 ? first : LUMA[0] * first + LUMA[1] * level(from, 1) + LUMA[2] * level(from, 2);
      if (layer === OPACITY) picture.data[to + 3] = luma; // the array rounds and clips
      else if (grey) picture.data.fill(luma, to, to + 3);
      else if (channels === 3) for (let k = 0; k < 3; k++) picture.data[to + k] = k ? level(from, k) : first;
      else shift(picture.data, to, luma - lumaAt(picture.data, to));
    }
  }
}

// An equal difference in R, G and B changes the luma and leaves the chroma.
function shift(data, at, difference) {
  for (let k = 0; k < 3; k++) data[at + k] += difference;
}

export function isGrey({ data }) {
  for (let at = 0; at < data.length; at += 4) if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  return true;
}

// Returns whether all pixels have the same opacity, which then needs no computing.
export function isEven({ data }) {
  for (let at = 7; at < data.length; at += 4) if (data[at] !== data[3]) return false;
  return true;
}

// Gives transparent pixels the mean colour of the visible ones around them. Otherwise their colour would show as a fringe.
export function bleed({ data, width, height }) {
  const [across, down] = [Math.ceil(width / BLOCK_PX), Math.ceil(height / BLOCK_PX)];
  const sums = new Float64Array(4 * across * down); // premultiplied colours, and the weight
  let hidden = false;
  for (let row = 0; row < BLOCK_PX * down; row++) {
    for (let column = 0; column < BLOCK_PX * across; column++) {
      const from = 4 * (Math.min(row, height - 1) * width + Math.min(column, width - 1)); // incomplete blocks repeat the border
      const to = 4 * (Math.floor(row / BLOCK_PX) * across + Math.floor(column / BLOCK_PX));
      hidden ||= data[from + 3] === 0;
      for (let k = 0; k < 3; k++) sums[to + k] += data[from + k] * data[from + 3];
      sums[to + 3] += data[from + 3];
    }
  }
  if (!hidden || !sums.some((value) => value > 0)) return;
  const means = filled({ sums, across, down });
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const to = 4 * (row * width + column);
      if (data[to + 3] === 0) for (let k = 0; k < 3; k++) data[to + k] = between(means, across, down, row, column, k);
    }
  }
}

// Returns the mean colours of all blocks. An empty block takes that of a coarser level (pull-push).
function filled({ sums, across, down }) {
  const means = Float64Array.from(sums, (value, k) => (k % 4 < 3 ? value / (sums[k - (k % 4) + 3] || 1) : value));
  if (across * down === 1 || !emptyIn(sums)) return means;
  const half = { across: Math.ceil(across / 2), down: Math.ceil(down / 2) };
  half.sums = new Float64Array(4 * half.across * half.down);
  const coarser = (row, column) => 4 * ((row >> 1) * half.across + (column >> 1));
  const finer = (row, column) => 4 * (Math.min(row, down - 1) * across + Math.min(column, across - 1));
  for (let row = 0; row < 2 * half.down; row++) {
    for (let column = 0; column < 2 * half.across; column++) {
      for (let k = 0; k < 4; k++) half.sums[coarser(row, column) + k] += sums[finer(row, column) + k];
    }
  }
  const wider = filled(half);
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      const [at, from] = [finer(row, column), coarser(row, column)];
      if (!sums[at + 3]) for (let k = 0; k < 3; k++) means[at + k] = wider[from + k];
    }
  }
  return means;
}

function emptyIn(sums) {
  for (let at = 3; at < sums.length; at += 4) if (!sums[at]) return true;
  return false;
}

// Interpolates the means of the blocks at a pixel, aligned by centres.
function between(means, across, down, row, column, k) {
  const place = (pixel, length) => Math.min(Math.max((pixel + 0.5) / BLOCK_PX - 0.5, 0), length - 1);
  const [y, x] = [place(row, down), place(column, across)];
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [bottom, right] = [Math.min(top + 1, down - 1), Math.min(left + 1, across - 1)];
  const at = (line, block) => means[4 * (line * across + block) + k];
  const upper = at(top, left) + (at(top, right) - at(top, left)) * (x - left);
  const lower = at(bottom, left) + (at(bottom, right) - at(bottom, left)) * (x - left);
  return upper + (lower - upper) * (y - top);
}
