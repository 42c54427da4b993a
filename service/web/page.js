// The page: choose pictures, enlarge them on the server or on this device, compare and save the results.

import { middle, sayZoom } from "./compare.js";
import * as device from "./device.js";
import { enlarge } from "./job.js";
import { LANGUAGES, bytes, keep, phrase, preferred, say, speak, spoken, translate } from "./languages.js";
import { drawList } from "./list.js";
import { addModel, chosenModel, listModels, markModels, modelsOfServer, takeModel } from "./models.js";
import { canCopy, copy, expectPicture, expectWithin, isModel, resultName, sizeOf } from "./pictures.js";
import { previewModels } from "./preview.js";
import { unreachable } from "./problems.js";
import { Queue } from "./queue.js";
import { Refused } from "./refused.js";
import { look, refresh } from "./view.js";
import { zip } from "./zip.js";

const at = (id) => document.getElementById(id);
const DISPLAYABLE = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif"]; // formats that every current browser displays
const SERVER = "server" in document.body.dataset; // false on a site of static files
const RUNTIME = document.body.dataset.runtime; // the address of onnxruntime-web, if this page has it
const FILES = at("file").accept;
const AT_ONCE = 2; // pictures on the server: one is sent while another is computed

const queue = new Queue({ compute, atOnce: () => (onDevice() ? 1 : AT_ONCE), changed });
let [looked, failure, limits] = [null, null, null];

const onDevice = () => at("on-device").checked;
const headers = () => (at("key").value ? { Authorization: `Bearer ${at("key").value}` } : {});
const scale = () => Number(new FormData(at("settings")).get("scale"));
const settings = () => new URLSearchParams(new FormData(at("settings"))).toString();

// One picture is looked at while it is computed. Several are a list.
function choose(files) {
  const model = [...files].find(isModel);
  if (model) chooseModel(model);
  const pictures = [...files].filter((file) => !isModel(file));
  at("file").value = "";
  if (!pictures.length) return;
  fail(null);
  const added = queue.add(pictures);
  lookAt(added.length === 1 ? added[0] : null);
}

function lookAt(item) {
  looked = item;
  look(item);
  draw();
}

async function compute(item, signal, report) {
  const { file } = item;
  Object.assign(item, { onDevice: onDevice(), settings: settings() });
  report(phrase(item.onDevice ? "step.reading" : "step.sending"), item.onDevice ? null : 0);
  await expectPicture(file);
  const before = await sizeOf(file);
  if (!item.onDevice) expectWithin(limits, file, before, scale());
  const model = item.onDevice ? chosenModel().name : "";
  const result = await (item.onDevice ? device.enlarge(order(file), signal, report) : enlarge(file, query(file), headers(), signal, report));
  return { model, reason: "", ...result, before, after: await sizeOf(result.blob) };
}

function query(file) {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(at("settings"))) if (value) parameters.set(name, value);
  if (!parameters.has("format") && !DISPLAYABLE.includes(file.type)) parameters.set("format", "png");
  return parameters;
}

function order(picture) {
  const { name, version, sha256, address, blob } = chosenModel();
  const absolute = (path) => new URL(path, document.baseURI).href;
  const infer = `v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/infer`;
  return {
    picture,
    scale: scale(),
    format: at("format").value,
    runtime: absolute(RUNTIME),
    model: { name, sha256, blob, address: blob ? null : absolute(address), headers: headers() },
    server: SERVER && !blob ? { address: absolute(infer), headers: headers() } : { why: phrase(blob ? "why.own file" : "why.no server") },
  };
}

async function chooseModel(file) {
  if (!onDevice()) {
    fail(new Refused(RUNTIME ? "model.not chosen on device" : "model.not here", { name: file.name }));
    return;
  }
  try {
    await addModel(file);
    fail(null);
    if (looked) queue.again(looked);
  } catch (error) {
    fail(error);
  }
}

// A picture that is looked at and refused was one alone: it leaves, and its error is said above. In a list, its row says it.
function changed(item) {
  if (item === looked && item.state === "failed") {
    lookAt(null);
    queue.remove(item);
    fail(item.error);
  } else if (item === looked && (item.state === "cancelled" || !queue.items.includes(item))) lookAt(null);
  else draw();
  if (queue.paused?.status === 401) askForKey();
}

function draw() {
  refresh(looked ? queue.left(looked) : null);
  drawList(queue, looked, stale(), actions);
  at("drop").hidden = looked !== null && !queue.paused;
  at("drop").classList.toggle("small", queue.items.length > 0);
  at("resume").hidden = !queue.paused;
  const count = queue.unfinished.length;
  const said = queue.paused ? (queue.items.length > 1 ? say("list.paused", { reason: queue.paused.message, count }) : queue.paused.message) : failure?.message;
  at("error").hidden = !said;
  if (at("error").textContent !== (said ?? "")) at("error").textContent = said ?? "";
}

// Results of other settings. What was computed on the device is not sent to the server.
const stale = () => queue.items.filter((item) => item.state === "done" && item.settings !== settings() && item.onDevice === onDevice());

const actions = {
  cancel: (item) => queue.cancel(item),
  again: (item) => queue.again(item),
  show: (item) => {
    lookAt(item);
    scrollTo({ top: 0 });
  },
  save: (item) => {
    save(item.result.blob, resultName(item.file.name, item.result.blob, item.result.after));
    item.saved = true;
  },
  copy: ({ result }, button) => copyFrom(result.blob, button),
  remove: (item) => queue.remove(item),
};

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click
}

async function copyFrom(blob, button) {
  try {
    await copy(blob);
    button.textContent = say("copied");
    setTimeout(() => (button.textContent = say("copy")), 2000);
  } catch (error) {
    fail(error);
  }
}

async function saveAll() {
  const done = queue.items.filter(({ state }) => state === "done");
  try {
    save(await zip(done.map(({ file, result }) => ({ name: resultName(file.name, result.blob, result.after), blob: result.blob }))), "upconv.zip");
    for (const item of done) item.saved = true;
  } catch (error) {
    fail(error);
  }
}

// Switching the device off forgets the picture, which is then not sent to the server unasked.
function switched() {
  const current = looked;
  queue.cancelAll();
  place();
  if (!onDevice()) for (const item of queue.items) if (item.state !== "done") queue.remove(item);
  if (onDevice() && current && queue.items.includes(current) && !failure) {
    lookAt(current);
    queue.again(current);
  } else if (!onDevice()) lookAt(null);
}

function place() {
  document.body.classList.toggle("here", onDevice());
  at("file").accept = onDevice() ? `${FILES},.onnx` : FILES;
  at("avif").disabled = onDevice();
  if (at("format").value === "avif" && onDevice()) at("format").value = "";
  at("models").disabled = onDevice() || modelsOfServer().length < 2;
  fail(markModels(onDevice()));
}

function fail(error) {
  failure = error;
  draw();
  if (error) at("error").scrollIntoView({ block: "nearest" });
}

function askForKey() {
  at("keys").hidden = false;
  at("key").focus();
}

async function start() {
  fail(null);
  try {
    limits = await listModels(SERVER, headers());
    tellLimits();
    place();
    if (queue.paused) queue.resume();
  } catch (error) {
    fail(error);
    if (error.status === 401) askForKey();
  }
}

function tellLimits() {
  at("limits").hidden = !limits;
  if (!limits) return;
  const { max_bytes, max_pixels, max_output_pixels } = limits;
  at("limits").textContent = say("drop.limits", { bytes: bytes(max_bytes), pixels: max_pixels / 1e6, result: max_output_pixels / 1e6 });
}

// Writes all texts again, in the language that is spoken now.
function relabel() {
  translate();
  tellLimits();
  markModels(onDevice());
  sayZoom();
  draw();
}

at("file").addEventListener("change", (event) => choose(event.target.files));
at("on-device").addEventListener("change", switched);
at("settings").addEventListener("change", (event) => {
  if (event.target === at("on-device") || event.target === at("key")) return;
  if (looked && (looked.onDevice ?? onDevice()) === onDevice()) queue.again(looked);
  else draw();
});
at("settings").addEventListener("submit", (event) => event.preventDefault());
at("key").addEventListener("change", start);
at("resume").addEventListener("click", () => {
  failure = null;
  queue.resume();
  draw();
});
at("cancel").addEventListener("click", () => {
  if (queue.items.length === 1 && !looked.result) queue.remove(looked);
  else queue.cancel(looked);
  lookAt(null);
  at("file").focus();
});
at("another").addEventListener("click", () => {
  lookAt(null);
  at("file").focus();
});
at("download").addEventListener("click", () => (looked.saved = true));
at("copy").hidden = !canCopy();
at("copy").addEventListener("click", () => copyFrom(looked.result.blob, at("copy")));
at("models").addEventListener("click", () => {
  const use = (name) => {
    takeModel(name);
    queue.again(looked);
  };
  previewModels(looked.file, middle(), modelsOfServer(), looked.result.model, scale(), headers(), use).catch(() => fail(new Refused("browser.read")));
});
at("zip").addEventListener("click", saveAll);
at("cancel-all").addEventListener("click", () => queue.cancelAll());
at("all-again").addEventListener("click", () => stale().forEach((item) => queue.again(item)));
at("clear").addEventListener("click", () => {
  for (const item of queue.items) if (item !== looked) queue.remove(item);
  at("file").focus();
});
document.addEventListener("paste", (event) => choose(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  choose(event.dataTransfer.files);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "?" && !event.target.matches("input:not([type=range], [type=radio], [type=checkbox], [type=file]), select") && !document.querySelector("dialog[open]")) at("help").showModal();
});
at("help-open").addEventListener("click", () => at("help").showModal());
// The browser asks before it leaves pictures behind that are computed, or several that were not saved.
addEventListener("beforeunload", (event) => {
  const unsaved = queue.items.filter(({ state, saved }) => state === "done" && !saved);
  if (queue.unfinished.length || unsaved.length > 1) event.preventDefault();
});
at("language").addEventListener("change", async () => {
  try {
    await speak(at("language").value);
    keep(spoken());
    if (failure?.key === "problem.unreachable") failure = null;
    relabel();
  } catch {
    at("language").value = spoken(); // the file of the other language could not be loaded
    fail(unreachable());
  }
});
at("device").hidden = !RUNTIME || !SERVER;
at("on-device").checked = !SERVER;
at("reference").hidden = !SERVER;
at("language").replaceChildren(...Object.entries(LANGUAGES).map(([name, text]) => new Option(text, name)));
for (const option of at("language").options) option.lang = option.value;
await speak(preferred()).catch(() => {}); // English is always here
at("language").value = spoken();
translate();
start();
