// One picture's way through the service: sent, watched tile by tile, fetched, and deleted there.

export class Refused extends Error {
  constructor(detail, status) {
    super(`${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`.replace(/\.\.$/, "."));
    this.status = status;
  }
}

const UNREACHABLE = "The server could not be reached, or closed the connection. Try again in a moment.";

// tell(step, share): what is going on, and how far it is from 0 to 1; null where that is not known.
export async function enlarge(file, query, key, signal, tell) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const job = await hand(file, query, headers, signal, tell);
  const address = `/v1/jobs/${job.id}`;
  const started = performance.now();
  try {
    await watch(address, headers, signal, tell);
    const answer = await ask(`${address}/result`, { headers, signal });
    return { blob: await answer.blob(), seconds: (performance.now() - started) / 1000, headers: answer.headers };
  } finally {
    fetch(address, { method: "DELETE", headers, keepalive: true }).catch(() => {}); // it would expire all the same
  }
}

export async function ask(address, options = {}) {
  const answer = await fetch(address, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused(UNREACHABLE, 0);
  });
  if (!answer.ok) throw refusal(answer.status, await answer.text());
  return answer;
}

function refusal(status, text) {
  try {
    return new Refused(JSON.parse(text).detail, status);
  } catch {
    // An answer of something between us and the service: its status is all there is to say.
    return new Refused(`The server answered with status ${status}`, status);
  }
}

// XMLHttpRequest, because fetch does not tell how much has been sent.
function hand(file, query, headers, signal, tell) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", `/v1/jobs?${query}`);
    call.setRequestHeader("Content-Type", file.type.startsWith("image/") ? file.type : "application/octet-stream");
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    call.upload.onprogress = (event) => tell("Sending", event.loaded / event.total);
    call.upload.onload = () => tell("Waiting", null);
    call.onload = () => (call.status === 202 ? resolve(JSON.parse(call.response)) : reject(refusal(call.status, call.response)));
    call.onerror = () => reject(new Refused(UNREACHABLE, 0));
    signal.addEventListener("abort", () => {
      call.abort();
      reject(new DOMException("called off", "AbortError"));
    });
    call.send(file);
  });
}

// Not EventSource, which sends no keys. A stream that ends early is begun again.
async function watch(address, headers, signal, tell) {
  for (;;) {
    const answer = await ask(`${address}/events`, { headers, signal });
    for await (const [name, data] of events(answer.body)) {
      if (name === "done") return;
      if (name === "failed") throw new Refused(data.error.detail, data.error.status);
      if (name === "deleted") throw new Refused("The picture was deleted on the server", 404);
      if (data.state === "queued") tell(data.ahead ? `Waiting for ${data.ahead} other${data.ahead > 1 ? "s" : ""}` : "Waiting", null);
      else tell("Enlarging", data.progress.total ? data.progress.done / data.progress.total : null);
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
