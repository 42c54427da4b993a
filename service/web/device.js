// Computes pictures in a worker of this page. Nothing is sent but requests for the model, and the test tile of the comparison.

import { Refused } from "./refused.js";

let worker = null;
let number = 0;

// order: {picture, model, scale, format, server, runtime}. report(step, share) is called as that of job.js.
export function enlarge(order, signal, report) {
  const id = ++number;
  worker ??= new Worker(new URL("device_worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    const fail = ({ key, values, status, detail, broken }) => {
      if (broken) stop();
      reject(new Refused(key, values, status, detail));
    };
    worker.onmessage = ({ data }) => {
      if (data.id !== id) return;
      if (data.result) resolve(data.result);
      else if (data.error) fail(data.error);
      else report(data.step, data.share);
    };
    worker.onerror = () => fail({ key: "device.ended", broken: true });
    signal.addEventListener("abort", () => {
      worker?.postMessage({ cancel: id });
      reject(new DOMException("cancelled", "AbortError"));
    });
    worker.postMessage({ id, ...order });
  });
}

// A worker that failed may have no memory left, so the next picture gets a new one.
function stop() {
  worker?.terminate();
  worker = null;
}
