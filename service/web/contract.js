// Reads the contract from the metadata of an .onnx file, and tells whether the page can compute the model.

import { phrase } from "./languages.js";
import { Refused } from "./refused.js";

const KEY = "upconv.contract";
const METADATA = 14; // ModelProto.metadata_props in onnx.proto: entries of a key (1) and a value (2)
const text = new TextDecoder();

// Returns the contract. Throws a Refused error if the file has none that this page can read.
export function readContract(bytes, name) {
  const contract = parsed(metadata(bytes, name)[KEY], name);
  if (contract.version !== 1) throw new Refused("model.newer contract", { name, version: contract.version });
  return contract;
}

// Returns the phrase that says why this page cannot compute a model on the device, or null if it can.
export function whyNot({ task, precision = "fp32", height, width, input, output }) {
  if (task !== "upscale" || !input || !output) return phrase("why.task");
  if (precision !== "fp32") return phrase("why.precision", { precision });
  if (!height || !width || height.scale !== width.scale || !Number.isInteger(height.scale)) return phrase("why.scale");
  return null;
}

function parsed(json, name) {
  if (json === undefined) throw new Refused("model.no contract", { name });
  try {
    return JSON.parse(json);
  } catch {
    throw new Refused("model.bad contract", { name });
  }
}

function metadata(bytes, name) {
  try {
    const entries = [...fields(bytes)].filter(([number]) => number === METADATA).map(([, entry]) => Object.fromEntries(fields(entry)));
    return Object.fromEntries(entries.map((entry) => [text.decode(entry[1]), text.decode(entry[2])]));
  } catch {
    throw new Refused("model.no file", { name });
  }
}

// Yields the number and the value of each field of a protobuf message. Values of fixed length are left out.
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let weight = 1; ; weight *= 128) {
      if (at >= bytes.length || weight > 2 ** 63) throw new Error("not a protobuf message");
      const byte = bytes[at++];
      value += (byte & 127) * weight;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    const length = { 0: 0, 1: 8, 2: wire === 2 ? varint() : 0, 5: 4 }[wire];
    if (number === 0 || length === undefined || at + length > bytes.length) throw new Error("not a protobuf message");
    yield [number, wire === 0 ? varint() : bytes.subarray(at, at + length)];
    at += length;
  }
}
