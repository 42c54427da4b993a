// One picture at a time: chosen, sent, compared.

const at = (id) => document.getElementById(id);
const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/avif", "image/gif"]; // by every current browser
const SUFFIXES = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif", "image/tiff": "tif" };

let picture = null;
let request = null;
const addresses = { before: null, after: null };

async function listModels() {
  const answer = await fetch("/v1/models");
  if (!answer.ok) throw new Error("The list of models could not be read; reload the page in a moment.");
  for (const model of (await answer.json()).models.filter((model) => model.upscales)) {
    at("model").add(new Option(model.name, model.name, model.default, model.default));
  }
}

function choose(file) {
  if (!file) return;
  picture = file;
  show("before", file);
  preview(file);
  send();
}

async function preview(file) {
  const seen = await loaded("before");
  if (file === picture && request && seen) {
    shape("before");
    at("compare").className = "compare pending";
    at("result").hidden = false;
  }
}

function send() {
  if (!picture) return;
  request?.abort();
  fail(null);
  at("drop").hidden = true;
  at("outcome").hidden = true;
  at("note").hidden = true;
  at("work").hidden = false;
  report("Sending", 0);
  request = post(`/v1/upscale?${query()}`, picture);
}

function query() {
  const wanted = new URLSearchParams();
  for (const [name, value] of new FormData(at("settings"))) if (value) wanted.set(name, value);
  if (!wanted.has("format") && !SHOWN.includes(picture.type)) wanted.set("format", "png");
  return wanted;
}

// XMLHttpRequest, because fetch does not tell how much has been sent.
function post(address, file) {
  const call = new XMLHttpRequest();
  call.open("POST", address);
  call.responseType = "blob";
  call.setRequestHeader("Content-Type", file.type.startsWith("image/") ? file.type : "application/octet-stream");
  call.upload.onprogress = (event) => report("Sending", event.loaded / event.total);
  call.upload.onload = () => report("Enlarging", null);
  call.onload = () => (call.status === 200 ? present(call) : refuse(call));
  call.onerror = () => fail("The server could not be reached, or closed the connection. Try again in a moment.");
  call.send(file);
  return call;
}

function report(step, share) {
  at("step").textContent = share === null ? `${step}…` : `${step}… ${Math.round(share * 100)} %`;
  if (share === null) at("progress").removeAttribute("value");
  else at("progress").value = share;
}

async function present(call) {
  show("after", call.response);
  await loaded("after");
  const seen = await loaded("before");
  if (call !== request) return;
  request = null;
  shape("after");
  at("compare").className = seen ? "compare" : "compare alone";
  slide(50);
  tell(call, seen);
  at("work").hidden = true;
  at("outcome").hidden = false;
  at("result").hidden = false;
}

function loaded(which) {
  return at(which).decode().then(() => true, () => false);
}

function shape(which) {
  const { naturalWidth: width, naturalHeight: height } = at(which);
  at("compare").style.setProperty("--shape", `${width} / ${height}`);
  at("compare").style.setProperty("--ratio", width / height);
}

function tell(call, seen) {
  const { naturalWidth: width, naturalHeight: height } = at("after");
  const from = seen ? `${at("before").naturalWidth} × ${at("before").naturalHeight} → ` : "";
  at("facts").replaceChildren(`${from}`, strong(`${width} × ${height}`), ` · ${size(call.response.size)} · ${duration(call)}`);
  const kept = call.getResponseHeader("X-Upconv-Conversions");
  at("note").hidden = !kept;
  at("note").textContent = kept ? `Changed on the way: ${decodeURIComponent(kept)}.` : "";
  at("download").href = addresses.after;
  at("download").download = name(call.response.type, width, height);
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

function duration(call) {
  const stages = [...(call.getResponseHeader("Server-Timing") ?? "").matchAll(/dur=([\d.]+)/g)];
  const seconds = stages.reduce((sum, stage) => sum + Number(stage[1]), 0) / 1000;
  return seconds < 1 ? `${Math.round(seconds * 1000)}\u00a0ms` : `${seconds.toFixed(1)}\u00a0s`;
}

async function refuse(call) {
  let detail = `The server answered with status ${call.status}.`;
  try {
    detail = JSON.parse(await call.response.text()).detail;
  } catch {
    // An answer of something between us and the service: its status is all there is to say.
  }
  if (call === request) fail(`${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`.replace(/\.\.$/, "."));
}

function fail(sentence) {
  at("error").hidden = sentence === null;
  at("error").textContent = sentence ?? "";
  if (sentence === null) return;
  again();
  at("error").scrollIntoView({ block: "nearest" });
}

function again() {
  request?.abort();
  request = null;
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

function slide(share) {
  at("slider").value = share;
  at("compare").style.setProperty("--at", `${share}%`);
}

at("file").addEventListener("change", (event) => choose(event.target.files[0]));
at("settings").addEventListener("change", send);
at("settings").addEventListener("submit", (event) => event.preventDefault());
for (const button of [at("cancel"), at("another")]) {
  button.addEventListener("click", () => {
    again();
    at("file").focus();
  });
}
at("slider").addEventListener("input", (event) => slide(event.target.value));
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
listModels().catch((error) => fail(error.message));
