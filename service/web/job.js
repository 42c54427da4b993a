// Upscales one picture as a job: sends it, follows its tiles, fetches the result and deletes the job.

import { Refused } from "./refused.js";

const LEASE_S = 60; // the server deletes the job this soon after the page was closed
const UNREACHABLE = "The server could not be reached, or closed the connection. Try again in a moment.";

// report(step, share) receives the current step and its progress from 0 to 1, or null if the progress is unknown.
export async function enlarge(file, query, headers, signal, report) {
  query.set("lease_s", LEASE_S);
  const job = await submit(file, query, headers, signal, report);
  const address = `v1/jobs/${job.id}`;
  const started = performance.now();
  try {
    await watch(address, headers, signal, report);
    const response = await request(`${address}/result`, { headers, signal });
    const conversions = response.headers.get("X-Upconv-Conversions");
    const note = conversions ? `Changed in the result: ${decodeURIComponent(conversions)}.` : "";
    const found = response.headers.get("X-Upconv-Chosen-For");
    const by = found ? `${decodeURIComponent(response.headers.get("X-Upconv-Model"))} (${decodeURIComponent(found)})` : "";
    return { blob: await response.blob(), seconds: (performance.now() - started) / 1000, note, by };
  } finally {
    fetch(address, { method: "DELETE", headers, keepalive: true }).catch(() => {}); // if this fails, its lease ends
  }
}

export async function request(address, options = {}) {
  const response = await fetch(address, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused(UNREACHABLE, 0);
  });
  if (!response.ok) throw refusal(response.status, await response.text());
  return response;
}

function refusal(status, text) {
  try {
    return new Refused(JSON.parse(text).detail, status);
  } catch {
    // A proxy between the page and the service sent this response, so only its status is known.
    return new Refused(`The server answered with status ${status}`, status);
  }
}

// XMLHttpRequest, because fetch does not report how much has been sent.
function submit(file, query, headers, signal, report) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", `v1/jobs?${query}`);
    call.setRequestHeader("Content-Type", file.type.startsWith("image/") ? file.type : "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => report("Sending", event.loaded / event.total);
    call.upload.onload = () => report("Waiting", null);
    call.onload = () => (call.status === 202 ? resolve(JSON.parse(call.response)) : reject(refusal(call.status, call.response)));
    call.onerror = () => reject(new Refused(UNREACHABLE, 0));
    signal.addEventListener("abort", () => {
      call.abort();
      reject(new DOMException("cancelled", "AbortError"));
    });
    call.send(file);
  });
}

// fetch instead of EventSource, which cannot send an API key. A stream that ends early is opened again.
async function watch(address, headers, signal, report) {
  for (;;) {
    const response = await request(`${address}/events`, { headers, signal });
    for await (const [name, data] of events(response.body)) {
      if (name === "done") return;
      if (name === "failed") throw new Refused(data.error.detail, data.error.status);
      if (name === "deleted") throw new Refused("The picture was deleted on the server", 404);
      if (data.state === "queued") report(data.ahead ? `Waiting for ${data.ahead} other${data.ahead > 1 ? "s" : ""}` : "Waiting", null);
      else report("Enlarging", data.progress.total ? data.progress.done / data.progress.total : null);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (text + part.value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
      if (fields.event) yield [fields.event, JSON.parse(fields.data)];
    }
  }
}
