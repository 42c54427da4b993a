// Enlarges a picture with a file that upconv exported: node upscale.mjs MODEL.onnx IN.ppm OUT.ppm [TILE]
// Needs `npm install onnxruntime-node`. In a browser, import onnxruntime-web instead, and take the pixels from a canvas.
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-node";

// onnxruntime does not show the metadata in JavaScript, so read them from the file: entries of a key (1) and a value (2) in field 14.
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * weight;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const type = tag % 8;
    const length = type === 2 ? varint() : type === 1 ? 8 : type === 5 ? 4 : (varint(), 0);
    if (type === 2) yield [Math.floor(tag / 8), bytes.subarray(at, at + length)];
    at += length;
  }
}

function contractOf(bytes) {
  const text = new TextDecoder();
  const entries = [...fields(bytes)].filter(([number]) => number === 14).map(([, entry]) => Object.fromEntries(fields(entry)));
  const entry = entries.find((each) => text.decode(each[1]) === "upconv.contract");
  if (!entry) throw new Error("the file has no contract");
  const contract = JSON.parse(text.decode(entry[2]));
  const laws = [contract.height, contract.width];
  const simple = contract.version === 1 && contract.task === "upscale" && !contract.context && !contract.crop;
  if (!simple || laws.some(({ scale, offset = 0 }) => !Number.isInteger(scale) || offset) || (contract.input.color ?? "rgb") !== "rgb")
    throw new Error("this sample is too simple for the file");
  return contract;
}

function read(path) {
  const bytes = readFileSync(path);
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(bytes.subarray(0, 64).toString("latin1"));
  if (!head) throw new Error(`${path} is not a PPM file of 8 bits`);
  return { width: Number(head[1]), height: Number(head[2]), samples: bytes.subarray(head[0].length) };
}

const roundUp = (length, multiple) => Math.ceil(length / multiple) * multiple;

// Cuts one axis into tiles of about `tile` pixels: those that the model sees (start, stop), and those whose output is kept
// (keep, keepStop). A tile is the whole axis if the model has no finite halo.
function spans(length, { multiple = 1, minimum = 1 }, { halo, statistics = [] }, [first, last], tile) {
  const least = roundUp(minimum, multiple);
  const padded = Math.max(roundUp(length, multiple), least);
  if (halo?.top === undefined || statistics.length) return [{ start: 0, stop: padded, keep: 0, keepStop: length }];
  const [before, after, step] = [halo[first], halo[last], tile].map((px) => roundUp(px, multiple));
  const found = [];
  for (let keep = 0; keep < length; keep += step) {
    const stop = Math.min(Math.max(keep + step + after, least), padded);
    const start = Math.max(Math.min(keep - before, stop - least), 0);
    found.push({ start, stop, keep, keepStop: Math.min(keep + step, length) });
  }
  return found;
}

const [model, from, to, tile = "256"] = process.argv.slice(2);
const bytes = readFileSync(model);
const contract = contractOf(bytes);
const exact = { session: { x64quantprecision: "1" } }; // without it, int8 is wrong on processors without VNNI
const session = await ort.InferenceSession.create(bytes, { extra: exact });
const picture = read(from);
const [scaleY, scaleX] = [contract.height.scale, contract.width.scale];
const { low = 0, high = 1 } = contract.input;
const { low: black = 0, high: white = 1 } = contract.output;
const larger = { width: picture.width * scaleX, height: picture.height * scaleY };
larger.samples = new Uint8ClampedArray(larger.width * larger.height * 3);

for (const rows of spans(picture.height, contract.height, contract, ["top", "bottom"], Number(tile)))
  for (const columns of spans(picture.width, contract.width, contract, ["left", "right"], Number(tile))) {
    const [height, width] = [rows.stop - rows.start, columns.stop - columns.start];
    const values = new Float32Array(3 * height * width);
    for (let channel = 0; channel < 3; channel++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
          const row = Math.min(rows.start + y, picture.height - 1); // the last pixel repeated
          const column = Math.min(columns.start + x, picture.width - 1);
          const sample = picture.samples[(row * picture.width + column) * 3 + channel];
          values[(channel * height + y) * width + x] = low + ((high - low) * sample) / 255;
        }
    const input = new ort.Tensor("float32", values, [1, 3, height, width]);
    const { [session.outputNames[0]]: output } = await session.run({ [session.inputNames[0]]: input });
    for (let channel = 0; channel < 3; channel++)
      for (let y = rows.keep * scaleY; y < rows.keepStop * scaleY; y++)
        for (let x = columns.keep * scaleX; x < columns.keepStop * scaleX; x++) {
          const [row, column] = [y - rows.start * scaleY, x - columns.start * scaleX];
          const value = output.data[(channel * height * scaleY + row) * width * scaleX + column];
          larger.samples[(y * larger.width + x) * 3 + channel] = ((value - black) / (white - black)) * 255; // rounded and clipped
        }
  }
writeFileSync(to, Buffer.concat([Buffer.from(`P6\n${larger.width} ${larger.height}\n255\n`), Buffer.from(larger.samples.buffer)]));
console.log(`${contract.name}: ${larger.width}x${larger.height}`);
