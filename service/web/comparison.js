// Compares the device with the server on one tile: a drawn pattern, never the user's picture.

import { request } from "./job.js";

const SIDE_PX = 64;
const LENGTH_HEADER = "Inference-Header-Content-Length";

// A result that is farther than this from the server's, as a share of the range from black to white, is not used.
// A step of 8 bits is 3.9e-3.
export const LIMIT = 1e-4;

// Returns a picture {data, width, height} with waves, edges and noise.
export function testPicture() {
  const data = new Uint8ClampedArray(4 * SIDE_PX * SIDE_PX).fill(255);
  let noise = 1;
  for (let at = 0; at < data.length; at++) {
    if (at % 4 === 3) continue;
    noise = (noise * 48271) % 2147483647;
    const [x, y] = [(at >> 2) % SIDE_PX, Math.floor((at >> 2) / SIDE_PX)];
    const edge = x > y ? 40 : -40;
    data[at] = 128 + 60 * Math.sin((x + 3 * (at % 4)) / 5) * Math.cos(y / 7) + edge + (noise % 16);
  }
  return { data, width: SIDE_PX, height: SIDE_PX };
}

// Returns the server's output, a Float32Array, for a tensor {data, dims}. The inference protocol returns it before rounding.
export async function askServer({ address, headers }, { input, output }, { data, dims }) {
  const head = new TextEncoder().encode(
    JSON.stringify({
      inputs: [{ name: input, shape: dims, datatype: "FP32", parameters: { binary_data_size: data.byteLength } }],
      outputs: [{ name: output, parameters: { binary_data: true } }],
    }),
  );
  const response = await request(address, {
    method: "POST",
    headers: { ...headers, [LENGTH_HEADER]: String(head.length), "Content-Type": "application/octet-stream" },
    body: new Blob([head, data]),
  });
  const bytes = await response.arrayBuffer();
  return new Float32Array(bytes.slice(Number(response.headers.get(LENGTH_HEADER))));
}

// Returns the largest difference of two outputs, as a share of the range from black to white.
export function difference(one, other, { low = 0, high = 1 }) {
  if (one.length !== other.length) return Infinity;
  let largest = 0;
  for (let k = 0; k < one.length; k++) {
    const distance = Math.abs(one[k] - other[k]);
    if (!(distance <= largest)) largest = Number.isNaN(distance) ? Infinity : distance;
  }
  return largest / (high - low);
}
