// A program that node runs: onnxruntime-web on WebAssembly with one thread. It answers the frames of runtime_process.py, as
// process_worker.py does. Arguments: the model, the level, the settings of the session, the folder with node_modules.
import {once} from 'node:events';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';

const TYPES = {
  float32: Float32Array, float64: Float64Array, float16: globalThis.Float16Array ?? Uint16Array, int64: BigInt64Array,
  int32: Int32Array, uint8: Uint8Array, int8: Int8Array, bool: Uint8Array,
};
const [model, level, , folder] = process.argv.slice(2);
let received = Buffer.alloc(0);

async function bytes(isEnough) {
  for (;;) {
    const length = isEnough(received);
    if (length >= 0 && received.length >= length) {
      const taken = received.subarray(0, length);
      received = received.subarray(length);
      return taken;
    }
    const chunk = process.stdin.read();
    if (chunk !== null) {
      received = Buffer.concat([received, chunk]);
    } else {
      if (process.stdin.readableEnded) process.exit(0);
      await Promise.race([once(process.stdin, 'readable'), once(process.stdin, 'end')]);
    }
  }
}

async function send(said, tensors = []) {
  const arrays = tensors.map((tensor) => ({dtype: tensor.type, shape: tensor.dims}));
  const parts = [Buffer.from(`${JSON.stringify({...said, arrays})}\n`)];
  for (const {data} of tensors) parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  for (const part of parts) if (!process.stdout.write(part)) await once(process.stdout, 'drain');
}

async function request() {
  const line = await bytes((buffer) => buffer.indexOf(10) + 1 || -1);
  const {arrays} = JSON.parse(line.toString());
  const tensors = [];
  for (const {dtype, shape} of arrays) {
    const Type = TYPES[dtype];
    const count = shape.reduce((a, b) => a * b, 1);
    const data = await bytes(() => count * Type.BYTES_PER_ELEMENT);
    tensors.push([dtype, new Type(new Uint8Array(data).buffer), shape]);
  }
  return tensors;
}

try {
  const found = createRequire(`${folder}/package.json`).resolve('onnxruntime-web');
  const loaded = await import(pathToFileURL(found));
  const ort = loaded.default ?? loaded;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'fatal';
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['wasm'], graphOptimizationLevel: level, logSeverityLevel: 4,
  });
  await send({version: ort.env.versions.web, device: 'wasm'});
  for (;;) {
    const inputs = await request();
    try {
      const feed = inputs.map(([type, data, shape], n) => [session.inputNames[n], new ort.Tensor(type, data, shape)]);
      const outputs = await session.run(Object.fromEntries(feed));
      await send({}, session.outputNames.map((name) => outputs[name]));
    } catch (error) {
      await send({error: String(error.message ?? error)});
    }
  }
} catch (error) {
  await send({error: String(error.message ?? error)});
  process.exit(0);
}
