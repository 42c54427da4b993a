// Upscales one picture as a job: sends it, follows its tiles, fetches the result and deletes the job.

import { has, phrase } from "./languages.js";
import { problem, refusal, unreachable } from "./problems.js";
import { Refused } from "./refused.js";

const LEASE_S = 60; // the server deletes the job this soon after the page was closed
const BUSY = [429, 503];
const ATTEMPTS = 20; // of a picture that a busy server refuses
const LOST = 4; // times that a lost connection is opened again, before the user is told
const LONGEST_S = 30;

// report(step, share) receives the current step, a phrase, and its progress from 0 to 1, or null if the progress is unknown.
export async function enlarge(file, query, headers, signal, report) {
  query.set("lease_s", LEASE_S);
  const job = await accepted(file, query, headers, signal, report);
  const address = `v1/jobs/${job.id}`;
  const started = performance.now();
  try {
    await watch(address, headers, signal, report);
    const response = await request(`${address}/result`, { headers, signal });
    const header = (name) => decodeURIComponent(response.headers.get(`X-Upconv-${name}`) ?? "");
    return {
      blob: await bodyOf(response),
      seconds: (performance.now() - started) / 1000,
      notes: changes(header("Conversions"), response.headers.get("X-Upconv-Conversion-Keys")),
      model: header("Model"),
      reason: header("Chosen-For"),
    };
  } finally {
    fetch(address, { method: "DELETE", headers, keepalive: true }).catch(() => {}); // if this fails, its lease ends
  }
}

// Returns the phrases that say what the result could not keep: in the language of the page, or in English if it lacks one of the keys.
export function changes(english, keys) {
  if (!english) return [];
  const phrases = JSON.parse(keys ?? "[]").map(({ key, values }) => phrase(`conversion.${key}`, values));
  const known = phrases.length > 0 && phrases.every(({ key }) => has(key));
  return [phrase("changed", { conversions: known ? phrases : english })];
}

export async function request(address, options = {}) {
  const response = await fetch(address, options).catch((error) => {
    throw error.name === "AbortError" ? error : unreachable();
  });
  if (!response.ok) throw refusal(response.status, await response.text());
  return response;
}

export function bodyOf(response) {
  return response.blob().catch((error) => {
    throw error.name === "AbortError" ? error : unreachable();
  });
}

// A busy server says when to try again.
async function accepted(file, query, headers, signal, report) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await submit(file, query, headers, signal, report);
    } catch (error) {
      if (!BUSY.includes(error.status) || !error.retryAfter || attempt === ATTEMPTS) throw error;
      report(phrase("step.later"), null);
      await pause(Math.min(error.retryAfter, LONGEST_S), signal);
    }
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * seconds);
    signal.addEventListener("abort", () => reject(cancelled()));
  });
}

const cancelled = () => new DOMException("cancelled", "AbortError");

// XMLHttpRequest, because fetch does not report how much has been sent.
function submit(file, query, headers, signal, report) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", `v1/jobs?${query}`);
    call.setRequestHeader("Content-Type", file.type.startsWith("image/") ? file.type : "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => report(phrase("step.sending"), event.loaded / event.total);
    call.upload.onload = () => report(phrase("step.waiting"), null);
    call.onload = () => {
      if (call.status === 202) resolve(JSON.parse(call.response));
      else reject(Object.assign(refusal(call.status, call.response), { retryAfter: Number(call.getResponseHeader("Retry-After")) }));
    };
    call.onerror = () => reject(unreachable());
    signal.addEventListener("abort", () => {
      call.abort();
      reject(cancelled());
    });
    call.send(file);
  });
}

// fetch instead of EventSource, which cannot send an API key. A stream that ends early is opened again.
async function watch(address, headers, signal, report) {
  for (let lost = 0; ; ) {
    try {
      const response = await request(`${address}/events`, { headers, signal });
      for await (const [name, data] of events(response.body)) {
        lost = 0;
        if (name === "done") return;
        if (name === "failed") throw problem(data.error);
        if (name === "deleted") throw new Refused("problem.deleted", {}, 404);
        if (data.state === "queued") report(data.ahead ? phrase("step.ahead", { count: data.ahead }) : phrase("step.waiting"), null);
        else report(phrase("step.enlarging"), data.progress.total ? data.progress.done / data.progress.total : null);
      }
    } catch (error) {
      if (error.name === "AbortError" || (error.status ?? 0) !== 0) throw error;
      if (++lost > LOST) throw unreachable();
      report(phrase("step.waiting"), null);
    }
    await pause(1, signal);
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
