// The worker that computes pictures on the device. It takes one order at a time, and the picture does not leave it.

import { backends, firstLine, loadRuntime, open } from "./backends.js";
import { LIMIT, askServer, difference, testPicture } from "./comparison.js";
import { readContract, whyNot } from "./contract.js";
import { decode, encode, pixelsOfBitmap } from "./files.js";
import { request } from "./job.js";
import { phrase } from "./languages.js";
import { planPasses, withSmallerTiles } from "./passes.js";
import { COLOR, bleed, toTensor } from "./pixels.js";
import { Refused, isFinal } from "./refused.js";
import { planesOf, upscale } from "./upscaling.js";

const TILE_PX = 256;
const LOSSES = phrase("note.losses");
const cancelled = new Set();
const failed = new Map(); // why a backend is not tried again, by its provider
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
    const { key, values, status, detail } = isFinal(error) ? error : new Refused("device.failed", { reason: firstLine(error) });
    const broken = !isFinal(error) || error.broken; // its memory may be lost
    self.postMessage({ id: order.id, error: { key, values, status, detail, broken } });
  }
}

async function enlarge(order, report) {
  const bitmap = await decode(order.picture);
  const model = await loaded(order.model, report);
  const passes = planPasses(bitmap.width, bitmap.height, order.scale, model.contract.height.scale);
  const picture = pixelsOfBitmap(bitmap);
  bitmap.close();
  bleed(picture);
  report(phrase("step.starting"), null);
  runtime ??= await loadRuntime(order.runtime);
  let started = 0;
  const step = async (share) => {
    report(phrase("step.enlarging"), share);
    await stopped(order.id);
  };
  const { result, sentences } = await withFirstBackend(model, order, (current) => {
    started = performance.now();
    return withSmallerTiles(TILE_PX, (tilePx) => upscale(picture, current, passes, tilePx, step));
  });
  report(phrase("step.saving"), null);
  const { blob, note } = await encode(result, order.format, order.picture.type);
  return { blob, seconds: (performance.now() - started) / 1000, notes: [...sentences, LOSSES, note] };
}

// Returns the result of attempt(opened model) in the first backend that computes it, and the phrases that say which.
async function withFirstBackend(model, order, attempt) {
  const troubles = [];
  for (const backend of await backends()) {
    const missing = backend.missing ?? failed.get(backend.provider);
    if (missing) {
      troubles.push(missing);
      continue;
    }
    try {
      const current = await openedIn(backend, model, order.server);
      const result = await attempt(current);
      const said = phrase(troubles.length ? "note.backend why" : "note.backend", { backend: backend.label, reasons: troubles });
      return { result, sentences: [said, current.comparison] };
    } catch (error) {
      if (isFinal(error)) throw error;
      opened = null;
      failed.set(backend.provider, phrase("backend.fails", { backend: backend.label, reason: firstLine(error) }));
      troubles.push(failed.get(backend.provider));
    }
  }
  throw Object.assign(new Refused("device.cannot", { name: model.name, reasons: troubles }), { broken: true });
}

async function openedIn(backend, model, server) {
  if (opened?.key === model.key && opened.provider === backend.provider) return opened;
  await opened?.release();
  opened = null;
  const made = { key: model.key, provider: backend.provider, contract: model.contract, ...(await open(runtime, model.bytes, backend)) };
  made.comparison = await compared(made, server);
  return (opened = made);
}

// Returns a phrase about the difference from the server. Throws if the device computes another result.
async function compared(model, server) {
  const picture = testPicture();
  const planes = await planesOf(picture, model, TILE_PX);
  if (!server.address) return phrase("note.no server", { reason: server.why });
  const every = Int32Array.from({ length: picture.width }, (_, k) => k);
  let expected;
  try {
    expected = await askServer(server, model, toTensor(picture, every, every, model.contract.input, COLOR));
  } catch (error) {
    return phrase("note.not compared", { reason: isFinal(error) ? phrase(error.key, error.values) : firstLine(error) });
  }
  const distance = difference(planes, expected, model.contract.output);
  const shown = { distance: distance.toExponential(1) };
  if (distance > LIMIT) throw Object.assign(new Error("the result differs"), { phrase: phrase("backend.differs", shown) });
  return phrase("note.compared", shown);
}

let last = null;

// Returns {key, name, bytes, contract} of a model: a file of the user, or one at an address.
async function loaded(model, report) {
  const key = model.blob ?? `${model.address} ${model.sha256}`;
  if (last?.key === key) return last;
  report(phrase("step.loading"), null);
  const buffer = await (model.blob ?? (await request(model.address, { headers: model.headers }))).arrayBuffer();
  const bytes = new Uint8Array(buffer);
  if (model.sha256 && crypto.subtle && (await digest(buffer)) !== model.sha256) {
    throw new Refused("model.changed", { name: model.name });
  }
  const contract = readContract(bytes, model.name);
  const reason = whyNot(contract);
  if (reason) throw new Refused("model.refused", { name: model.name, reason });
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
