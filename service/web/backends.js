// onnxruntime-web in a worker: WebGPU where the browser has it, else WebAssembly with as many threads as it allows.

import { phrase } from "./languages.js";
import { Refused } from "./refused.js";

const FILE = "ort-wasm-simd-threaded.asyncify";
const MOST_THREADS = 16;

// Returns onnxruntime-web, whose files are in the folder at this address.
export async function loadRuntime(address) {
  try {
    const ort = await import(`${address}ort.webgpu.min.mjs`);
    ort.env.logLevel = "error";
    ort.env.wasm.wasmPaths = { mjs: `${address}${FILE}.mjs`, wasm: `${address}${FILE}.wasm` };
    ort.env.wasm.numThreads = threads();
    return ort;
  } catch (error) {
    throw new Refused("device.runtime", { address, reason: firstLine(error) });
  }
}

// Returns the backends in the order in which they are tried, with phrases: `label` names one, `missing` says why it is not here.
export async function backends() {
  const number = threads();
  const alone = phrase(self.crossOriginIsolated ? "backend.one" : "backend.not isolated");
  return [
    { provider: "webgpu", label: phrase("backend.webgpu"), missing: await withoutWebGpu() },
    { provider: "wasm", label: number > 1 ? phrase("backend.threads", { number }) : alone, missing: null },
  ];
}

// Opens a model and returns {run, input, output, release}. `run` takes and returns {data, dims} of one tensor.
export async function open(ort, bytes, { provider }) {
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider], enableMemPattern: false });
  const [input, output] = [session.inputNames[0], session.outputNames[0]];
  const run = async ({ data, dims }) => {
    const { [output]: result } = await session.run({ [input]: new ort.Tensor("float32", data, dims) });
    return { data: result.data, dims: result.dims };
  };
  return { run, input, output, release: () => session.release() };
}

// Returns why something failed: the phrase of an error of ours, or the first line of another one.
export function firstLine(error) {
  if (error?.phrase) return error.phrase;
  return String(error?.message ?? error).split("\n", 1)[0].slice(0, 300).replace(/[.\s]+$/, "");
}

function threads() {
  return self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
}

async function withoutWebGpu() {
  if (!navigator.gpu) return phrase("backend.none");
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  return adapter ? null : phrase("backend.no adapter");
}
