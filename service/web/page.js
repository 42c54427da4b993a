// The page: choose one picture, enlarge it on the server or on this device, compare the result.

import { shape, slide } from "./compare.js";
import * as device from "./device.js";
import { enlarge, request } from "./job.js";
import { addModel, chosenModel, listModels, markModels } from "./models.js";

const at = (id) => document.getElementById(id);
const DISPLAYABLE = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif"]; // formats that every current browser displays
const SUFFIXES = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif", "image/tiff": "tif" };

let picture = null;
let running = null;
const addresses = { before: null, after: null };
const SERVER = "server" in document.body.dataset; // false on a site of static files
const RUNTIME = document.body.dataset.runtime; // the address of onnxruntime-web, if this page has it
const FILES = at("file").accept;

const onDevice = () => at("on-device").checked;
const headers = () => (at("key").value ? { Authorization: `Bearer ${at("key").value}` } : {});

function choose(file) {
  if (!file) return;
  if (/\.onnx$/i.test(file.name)) {
    chooseModel(file);
    return;
  }
  picture = file;
  show("before", file);
  preview(file);
  send();
}

async function preview(file) {
  const displayed = await loaded("before");
  if (file === picture && running && displayed) {
    shape(at("before").naturalWidth, at("before").naturalHeight);
    at("compare").className = "compare pending";
    at("result").hidden = false;
  }
}

async function send() {
  if (!picture) return;
  running?.abort();
  fail(null);
  for (const id of ["drop", "outcome", "note"]) at(id).hidden = true;
  at("work").hidden = false;
  report(onDevice() ? "Reading" : "Sending", onDevice() ? null : 0);
  const controller = (running = new AbortController());
  try {
    const follow = (...step) => controller === running && report(...step);
    const result = await (onDevice()
      ? device.enlarge(order(), controller.signal, follow)
      : enlarge(picture, query(), headers(), controller.signal, follow));
    await present(result, controller);
  } catch (error) {
    if (controller !== running || error.name === "AbortError") return;
    fail(error.message);
    if (error.status === 401) askForKey();
  }
}

function query() {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(at("settings"))) if (value) parameters.set(name, value);
  if (!parameters.has("format") && !DISPLAYABLE.includes(picture.type)) parameters.set("format", "png");
  return parameters;
}

function order() {
  const { name, version, sha256, address, blob } = chosenModel();
  const absolute = (path) => new URL(path, document.baseURI).href;
  const infer = `v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/infer`;
  return {
    picture,
    scale: Number(new FormData(at("settings")).get("scale")),
    format: at("format").value,
    runtime: absolute(RUNTIME),
    model: { name, sha256, blob, address: blob ? null : absolute(address), headers: headers() },
    server: SERVER && !blob ? { address: absolute(infer), headers: headers() } : { why: blob ? "the model is a file of yours" : "this page has none" },
  };
}

async function chooseModel(file) {
  if (!onDevice()) {
    fail(`The file ${file.name} is a model. ${RUNTIME ? "Switch on “On this device” to compute with it." : "Choose a picture; the models here are those of the server."}`);
    return;
  }
  try {
    await addModel(file);
    fail(null);
    send();
  } catch (error) {
    fail(error.message);
  }
}

// The switch. Switching it off forgets the picture, which is then not sent to the server unasked.
function place() {
  running?.abort();
  if (!onDevice()) reset();
  document.body.classList.toggle("here", onDevice());
  at("file").accept = onDevice() ? `${FILES},.onnx` : FILES;
  at("avif").disabled = onDevice();
  if (at("format").value === "avif" && onDevice()) at("format").value = "";
  const none = markModels(onDevice());
  fail(none);
}

function report(step, share) {
  at("step").textContent = share === null ? `${step}…` : `${step}… ${Math.round(share * 100)} %`;
  if (share === null) at("progress").removeAttribute("value");
  else at("progress").value = share;
}

async function present(result, controller) {
  show("after", result.blob);
  await loaded("after");
  const displayed = await loaded("before");
  if (controller !== running) return;
  running = null;
  at("result").hidden = false;
  at("compare").className = displayed ? "compare" : "compare alone";
  shape(at("after").naturalWidth, at("after").naturalHeight);
  slide(50);
  showFacts(result, displayed);
  at("work").hidden = true;
  at("outcome").hidden = false;
  at("download").focus({ preventScroll: true });
}

function loaded(which) {
  return at(which).decode().then(() => true, () => false);
}

function showFacts({ blob, seconds, note, by }, displayed) {
  const { naturalWidth: width, naturalHeight: height } = at("after");
  const from = displayed ? `${at("before").naturalWidth} × ${at("before").naturalHeight} → ` : "";
  at("facts").replaceChildren(`${from}`, strong(`${width} × ${height}`), ` · ${size(blob.size)} · ${duration(seconds)}${by ? ` · ${by}` : ""}`);
  at("note").hidden = !note;
  at("note").textContent = note;
  at("download").href = addresses.after;
  at("download").download = name(blob.type, width, height);
}

function strong(text) {
  const element = document.createElement("strong");
  element.textContent = text;
  return element;
}

function name(type, width, height) {
  const stem = (picture.name || "picture").replace(/\.[^.]*$/, "");
  return `${stem}-${width}x${height}.${SUFFIXES[type] ?? "png"}`;
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))}\u00a0kB` : `${(bytes / 1e6).toFixed(1)}\u00a0MB`;
}

function duration(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)}\u00a0ms` : `${seconds.toFixed(1)}\u00a0s`;
}

function fail(sentence) {
  at("error").hidden = sentence === null;
  at("error").textContent = sentence ?? "";
  if (sentence === null) return;
  reset();
  at("error").scrollIntoView({ block: "nearest" });
}

function askForKey() {
  at("keys").hidden = false;
  at("key").focus();
}

function reset() {
  running?.abort();
  running = null;
  picture = null;
  at("file").value = "";
  at("work").hidden = true;
  at("result").hidden = true;
  at("drop").hidden = false;
}

function show(which, blob) {
  if (addresses[which]) URL.revokeObjectURL(addresses[which]);
  addresses[which] = URL.createObjectURL(blob);
  at(which).src = addresses[which];
}

function start() {
  fail(null);
  listModels(SERVER, headers()).then(place).catch((error) => {
    fail(error.message);
    if (error.status === 401) askForKey();
  });
}

at("file").addEventListener("change", (event) => choose(event.target.files[0]));
at("on-device").addEventListener("change", place);
at("settings").addEventListener("change", (event) => {
  if (event.target !== at("on-device") || onDevice()) send();
});
at("settings").addEventListener("submit", (event) => event.preventDefault());
at("key").addEventListener("change", start);
for (const button of [at("cancel"), at("another")]) {
  button.addEventListener("click", () => {
    reset();
    at("file").focus();
  });
}
document.addEventListener("paste", (event) => choose(event.clipboardData.files[0]));
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
  choose(event.dataTransfer.files[0]);
});
at("device").hidden = !RUNTIME || !SERVER;
at("on-device").checked = !SERVER;
at("reference").hidden = !SERVER;
start();
