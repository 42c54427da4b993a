// The menu of models: those of the server or of the site, and files of the user.

import { readContract, whyNot } from "./contract.js";
import { request } from "./job.js";
import { Refused } from "./refused.js";

const menu = document.getElementById("model");
const AUTO = { name: "auto", text: "auto: fits the picture", contract: {}, ofServer: "the server looks at the picture to choose" };
const models = new Map(); // by the value of the option

// Fills the menu. A site of static files has the same list as a server, in a file.
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
}

export function chosenModel() {
  return models.get(menu.value);
}

// Adds an .onnx file of the user and chooses it. Throws a Refused error if it cannot be computed here.
export async function addModel(file) {
  const contract = readContract(new Uint8Array(await file.arrayBuffer()), file.name);
  const reason = whyNot(contract);
  if (reason) throw new Refused(`The model ${file.name} cannot be computed on this device: ${reason}. Choose another file`);
  add({ name: file.name, version: "", contract, blob: file }, true);
  menu.value = file.name;
}

// Marks the models that are computed on the server only, and those that are on the device only. Returns a sentence if the
// menu has no model left, or null.
export function markModels(onDevice) {
  let reason = null;
  for (const option of menu.options) {
    const { name, text, contract, blob, ofServer } = models.get(option.value);
    const why = onDevice ? (ofServer ?? whyNot(contract)) : blob ? "it is on this device only" : null;
    if (!ofServer) reason ??= why;
    option.disabled = why !== null;
    option.text = why === null ? (text ?? name) : blob ? `${name} (this device only)` : `${name} (${short(contract)}server only)`;
  }
  const usable = [...menu.options].filter((option) => !option.disabled);
  const first = usable.find((option) => option.defaultSelected) ?? usable[0];
  if (first && menu.selectedOptions[0]?.disabled) menu.value = first.value;
  return first || !menu.options.length ? null : `None of these models can be computed on this device: ${reason}. Choose an .onnx file of yours, or let the server compute.`;
}

const short = ({ precision = "fp32" }) => (precision === "fp32" ? "" : `${precision}, `);

function add(model, chosen) {
  if (!models.has(model.name)) menu.add(new Option(model.text ?? model.name, model.name, chosen && !model.blob, chosen));
  models.set(model.name, model);
}
