// The menu of models: those of the server or of the site, and files of the user.

import { readContract, whyNot } from "./contract.js";
import { request } from "./job.js";
import { duration, phrase, say, sentence } from "./languages.js";
import { computedPixels } from "./passes.js";
import { Refused } from "./refused.js";

const menu = document.getElementById("model");
const AUTO = { name: "auto", text: phrase("model.auto"), contract: {}, ofServer: phrase("why.looks") };
const USES = new Set(["clean", "web", "pixels"]); // the kinds of pictures that a contract states
const models = new Map(); // by the value of the option

// Fills the menu, and returns the limits of the server. A site of static files has the same list as a server, in a file.
export async function listModels(server, headers) {
  const response = await request(server ? "v1/models" : "models.json", { headers });
  const listed = await response.json();
  const upscaling = listed.models.filter((model) => model.upscales);
  menu.replaceChildren();
  models.clear();
  if (server && upscaling.some((model) => model.by_content)) add(AUTO, listed.by_content);
  for (const model of upscaling) {
    const chosen = model.default && !(server && listed.by_content);
    add({ ...model, address: model.file ?? `v1/models/${encodeURIComponent(`${model.name}@${model.version}`)}/file` }, chosen);
  }
  return listed.limits ?? null;
}

// Returns the server's models that upscale.
export const modelsOfServer = () => [...models.values()].filter(({ blob, ofServer }) => !blob && !ofServer);

// Returns what a model is for, and about how long the server computes a whole picture with it, as far as the list of models tells.
export function modelFacts({ contract, seconds_per_megapixel: seconds }, width, height, scale) {
  const { use, height: tall, width: wide } = contract;
  const facts = USES.has(use?.kind) ? [say(`use.${use.kind}`)] : [];
  if (seconds && tall && tall.scale === wide?.scale && Number.isInteger(tall.scale)) {
    const predicted = (computedPixels(width, height, scale, tall.scale) / 1e6) * seconds;
    facts.push(say("preview.cost", { time: duration(Math.max(0.001, Number(predicted.toPrecision(2)))) })); // more digits would be noise
  }
  return facts;
}

export function takeModel(name) {
  menu.value = name;
}

export function chosenModel() {
  return models.get(menu.value);
}

// Adds an .onnx file of the user and chooses it. Throws a Refused error if it cannot be computed here.
export async function addModel(file) {
  const contract = readContract(new Uint8Array(await file.arrayBuffer()), file.name);
  const reason = whyNot(contract);
  if (reason) throw new Refused("model.refused file", { name: file.name, reason });
  add({ name: file.name, version: "", contract, blob: file }, true);
  menu.value = file.name;
}

// Marks the models that are computed on the server only, and those that are on the device only. Returns a Refused
// error if the menu has no model left, or null.
export function markModels(onDevice) {
  let reason = null;
  for (const option of menu.options) {
    const { name, text, contract, blob, ofServer } = models.get(option.value);
    const why = onDevice ? (ofServer ?? whyNot(contract)) : blob ? phrase("why.device") : null;
    if (!ofServer) reason ??= why;
    option.disabled = why !== null;
    option.text = why === null ? label({ name, text, contract }) : say(blob ? "model.device only" : place(contract), { name: label({ name, text, contract }), precision: contract.precision });
  }
  const usable = [...menu.options].filter((option) => !option.disabled);
  const first = usable.find((option) => option.defaultSelected) ?? usable[0];
  if (first && menu.selectedOptions[0]?.disabled) menu.value = first.value;
  return first || !menu.options.length ? null : new Refused("model.none", { reason });
}

const place = ({ precision = "fp32" }) => (precision === "fp32" ? "model.server only" : "model.server only in");

// Returns the name of a model with the pictures that it is for.
function label({ name, text, contract }) {
  const kind = contract.use?.kind;
  return USES.has(kind) ? say("model.for", { name, use: say(`use.${kind}`) }) : sentence(text ?? name);
}

function add(model, chosen) {
  if (!models.has(model.name)) menu.add(new Option(label(model), model.name, chosen && !model.blob, chosen));
  models.set(model.name, model);
}
