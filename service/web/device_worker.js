// The worker that computes pictures on the device. It takes one order at a time, and the picture does not leave it.

import { backends, firstLine, loadRuntime, open } from "./backends.js";
import { LIMIT, askServer, difference, testPicture } from "./comparison.js";
import { readContract, whyNot } from "./contract.js";
import { decode, encode, pixelsOfBitmap } from "./files.js";
import { request } from "./job.js";
import { planPasses, withSmallerTiles } from "./passes.js";
import { COLOR, bleed, toTensor } from "./pixels.js";
import { Refused, isFinal } from "./refused.js";
import { planesOf, upscale } from "./upscaling.js";

const TILE_PX = 256;
const LOSSES = "The result has 8 bits, sRGB colours and no metadata.";
const cancelled = new Set();
const failed = new Map(); // why a backend is not tried again, by its label
let runtime = null;
let opened = null;
let queue = Promise.resolve();

self.addEventListener("message", ({ data }) => {
  if (data.cancel) cancelled.add(data.cancel);
  else queue = queue.then(() => answer(data));
});

async function answer(order) {
  const report = (step, share) => self.postMessage({ id: order.id, step, share });
  try {
    self.postMessage({ id: order.id, result: await enlarge(order, report) });
  } catch (error) {
    const message = isFinal(error) ? error.message : `This device could not compute the picture: ${firstLine(error)}.`;
    const broken = !isFinal(error) || error.broken; // its memory may be lost
    self.postMessage({ id: order.id, error: { message, status: error.status ?? 0, broken } });
  }
}

async function enlarge(order, report) {
  const bitmap = await decode(order.picture);
  const model = await loaded(order.model, report);
  const passes = planPasses(bitmap.width, bitmap.height, order.scale, model.contract.height.scale);
  const picture = pixelsOfBitmap(bitmap);
  bitmap.close();
  bleed(picture);
  report("Starting", null);
  runtime ??= await loadRuntime(order.runtime);
  let started = 0;
  const step = async (share) => {
    report("Enlarging", share);
    await stopped(order.id);
  };
  const { result, sentences } = await withFirstBackend(model, order, (current) => {
    started = performance.now();
    return withSmallerTiles(TILE_PX, (tilePx) => upscale(picture, current, passes, tilePx, step));
  });
  report("Saving", null);
  const { blob, note } = await encode(result, order.format, order.picture.type);
  return { blob, seconds: (performance.now() - started) / 1000, note: [...sentences, LOSSES, note].filter(Boolean).join(" ") };
}

// Returns the result of attempt(opened model) in the first backend that computes it, and the sentences that say which.
async function withFirstBackend(model, order, attempt) {
  const troubles = [];
  for (const backend of await backends()) {
    const missing = backend.missing ?? failed.get(backend.label);
    if (missing) {
      troubles.push(missing);
      continue;
    }
    try {
      const current = await openedIn(backend, model, order.server);
      const result = await attempt(current);
      const why = troubles.length ? ` (${troubles.join("; ")})` : "";
      return { result, sentences: [`Computed on this device with ${backend.label}${why}.`, current.comparison] };
    } catch (error) {
      if (isFinal(error)) throw error;
      opened = null;
      failed.set(backend.label, `${backend.label} fails: ${firstLine(error)}`);
      troubles.push(failed.get(backend.label));
    }
  }
  const message = `This device cannot compute ${model.name}: ${troubles.join("; ")}. Choose another model, or a smaller picture.`;
  throw Object.assign(new Refused(message), { broken: true });
}

async function openedIn(backend, model, server) {
  if (opened?.key === model.key && opened.label === backend.label) return opened;
  await opened?.release();
  opened = null;
  const made = { key: model.key, label: backend.label, contract: model.contract, ...(await open(runtime, model.bytes, backend)) };
  made.comparison = await compared(made, server);
  return (opened = made);
}

// Returns a sentence about the difference from the server. Throws if the device computes another result.
async function compared(model, server) {
  const picture = testPicture();
  const planes = await planesOf(picture, model, TILE_PX);
  if (!server.address) return `It was not compared with a server: ${server.why}.`;
  const every = Int32Array.from({ length: picture.width }, (_, k) => k);
  let expected;
  try {
    expected = await askServer(server, model, toTensor(picture, every, every, model.contract.input, COLOR));
  } catch (error) {
    return `It was not compared with the server: ${firstLine(error)}.`;
  }
  const distance = difference(planes, expected, model.contract.output);
  if (distance > LIMIT) throw new Error(`its result differs from the server's by ${distance.toExponential(1)} of the range from black to white`);
  return `On a test tile it differs from the server by at most ${distance.toExponential(1)} of the range from black to white.`;
}

let last = null;

// Returns {key, name, bytes, contract} of a model: a file of the user, or one at an address.
async function loaded(model, report) {
  const key = model.blob ?? `${model.address} ${model.sha256}`;
  if (last?.key === key) return last;
  report("Loading the model", null);
  const buffer = await (model.blob ?? (await request(model.address, { headers: model.headers }))).arrayBuffer();
  const bytes = new Uint8Array(buffer);
  if (model.sha256 && crypto.subtle && (await digest(buffer)) !== model.sha256) {
    throw new Refused(`The file of ${model.name} is not the one that the list names. Reload the page.`);
  }
  const contract = readContract(bytes, model.name);
  const reason = whyNot(contract);
  if (reason) throw new Refused(`The model ${model.name} cannot be computed on this device: ${reason}. Choose another one`);
  return (last = { key, name: model.name, bytes, contract });
}

async function digest(buffer) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Lets messages in, and throws if the order was cancelled.
async function stopped(id) {
  await new Promise((resolve) => setTimeout(resolve));
  if (cancelled.delete(id)) throw new DOMException("cancelled", "AbortError");
}
