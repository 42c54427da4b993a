// The page: choose one picture, enlarge it on the server or on this device, compare the result.

import { shape, slide } from "./compare.js";
import * as device from "./device.js";
import { enlarge } from "./job.js";
import { LANGUAGES, bytes, duration, keep, paragraph, percent, phrase, preferred, say, speak, spoken, translate } from "./languages.js";
import { addModel, chosenModel, listModels, markModels } from "./models.js";
import { Refused } from "./refused.js";

const at = (id) => document.getElementById(id);
const DISPLAYABLE = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif"]; // formats that every current browser displays
const SUFFIXES = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif", "image/tiff": "tif" };

let picture = null;
let running = null;
let [shown, failure] = [null, null];
const addresses = { before: null, after: null };
const SERVER = "server" in document.body.dataset; // false on a site of static files
const RUNTIME = document.body.dataset.runtime; // the address of onnxruntime-web, if this page has it
const CONTENTS = ["photograph", "drawing", "pixel art", "halftone", "dither", "no loss"]; // words of the server for what it sees
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
  report(phrase(onDevice() ? "step.reading" : "step.sending"), onDevice() ? null : 0);
  const controller = (running = new AbortController());
  try {
    const follow = (...step) => controller === running && report(...step);
    const result = await (onDevice()
      ? device.enlarge(order(), controller.signal, follow)
      : enlarge(picture, query(), headers(), controller.signal, follow));
    await present(result, controller);
  } catch (error) {
    if (controller !== running || error.name === "AbortError") return;
    fail(error);
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
    send();
  } catch (error) {
    fail(error);
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
  fail(markModels(onDevice()));
}

function report(step, share) {
  at("step").textContent = share === null ? say("step.going", { step }) : say("step.share", { step, share: percent(share) });
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
  shown = { ...result, displayed };
  showFacts();
  at("work").hidden = true;
  at("outcome").hidden = false;
  at("download").focus({ preventScroll: true });
}

function loaded(which) {
  return at(which).decode().then(() => true, () => false);
}

function showFacts() {
  const { blob, seconds, notes, model, reason, displayed } = shown;
  const { naturalWidth: width, naturalHeight: height } = at("after");
  const from = displayed ? `${at("before").naturalWidth} × ${at("before").naturalHeight} → ` : "";
  at("facts").replaceChildren(`${from}`, strong(`${width} × ${height}`), [bytes(blob.size), duration(seconds), by(model, reason)].map((fact) => fact && ` · ${fact}`).join(""));
  const note = paragraph(notes);
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

// Why the server chose a model is a list such as "photograph, JPEG 75, x2", whose words have names in each language.
function by(model, reason) {
  if (!reason) return "";
  const words = reason.split(", ").map((word) => {
    const [, format] = /^lossy (.+)$/.exec(word) ?? [];
    return format ? say("content.lossy", { format }) : CONTENTS.includes(word) ? say(`content.${word}`) : word;
  });
  return say("facts.chosen", { model, reason: words.join(", ") });
}

function fail(error) {
  failure = error;
  at("error").hidden = error === null;
  at("error").textContent = error?.message ?? "";
  if (error === null) return;
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
    fail(error);
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
at("language").addEventListener("change", async () => {
  keep(at("language").value);
  await speak(at("language").value);
  relabel();
});

// Writes all texts again, in the language that is spoken now.
function relabel() {
  translate();
  markModels(onDevice());
  if (failure) at("error").textContent = failure.message;
  if (shown) showFacts();
}

at("device").hidden = !RUNTIME || !SERVER;
at("on-device").checked = !SERVER;
at("reference").hidden = !SERVER;
at("language").replaceChildren(...Object.entries(LANGUAGES).map(([name, text]) => new Option(text, name)));
for (const option of at("language").options) option.lang = option.value;
await speak(preferred());
at("language").value = spoken();
translate();
start();
