// Writes PNG files. A canvas would multiply the colours by the opacity and round them, and give every file an opacity.

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const PAETH = 4; // the filter of each row: it suits photographs
const BLOCK_ROWS = 64;
const text = new TextEncoder();

const CHECKSUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

// Returns a file of 8 bits in sRGB: RGB if all pixels are opaque, otherwise RGBA.
export async function encodePng({ data, width, height }) {
  const channels = isOpaque(data) ? 3 : 4;
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, channels === 3 ? 2 : 6], 8);
  const parts = [SIGNATURE, ...chunk("IHDR", head), ...chunk("sRGB", new Uint8Array(1))];
  const packed = rows(data, width, height, channels).pipeThrough(new CompressionStream("deflate")).getReader();
  for (let part = await packed.read(); !part.done; part = await packed.read()) parts.push(...chunk("IDAT", part.value));
  return new Blob([...parts, ...chunk("IEND", new Uint8Array())], { type: "image/png" });
}

function isOpaque(data) {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

function chunk(name, content) {
  const [head, end] = [new Uint8Array(8), new Uint8Array(4)];
  new DataView(head.buffer).setUint32(0, content.length);
  head.set(text.encode(name), 4);
  new DataView(end.buffer).setUint32(0, checksum([head.subarray(4), content]));
  return [head, content, end];
}

// Returns the CRC-32 of blocks of bytes.
export function checksum(blocks) {
  let value = 0xffffffff;
  for (const block of blocks) for (const byte of block) value = CHECKSUMS[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

// Streams the filtered rows, some at a time.
function rows(data, width, height, channels) {
  const length = 1 + width * channels;
  let row = 0;
  return new ReadableStream({
    pull(controller) {
      const number = Math.min(BLOCK_ROWS, height - row);
      const block = new Uint8Array(number * length);
      for (let k = 0; k < number; k++, row++) filter(data, width, channels, row, block.subarray(k * length, (k + 1) * length));
      controller.enqueue(block);
      if (row === height) controller.close();
    },
  });
}

function filter(data, width, channels, row, out) {
  const above = (row - 1) * width * 4;
  out[0] = PAETH;
  for (let column = 0, to = 1; column < width; column++) {
    const at = (row * width + column) * 4;
    for (let k = 0; k < channels; k++, to++) {
      const left = column ? data[at - 4 + k] : 0;
      const up = row ? data[above + 4 * column + k] : 0;
      out[to] = data[at + k] - predicted(left, up, row && column ? data[above + 4 * column - 4 + k] : 0);
    }
  }
}

function predicted(left, up, corner) {
  const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}
