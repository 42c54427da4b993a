// What the server's problems are called here: the key of the text for each type of problem.

import { Refused } from "./refused.js";

export const PROBLEMS = {
  "too-many-bytes": "problem.bytes",
  "too-many-pixels": "problem.pixels",
  "too-long": "problem.long",
  "not-an-image": "problem.image",
  "not-a-picture-type": "problem.image",
  "damaged-image": "problem.damaged",
  "bad-parameter": "problem.parameter",
  "unknown-model": "problem.model",
  "model-changed": "problem.model",
  "refused-model": "problem.failed",
  "model-failed": "problem.failed",
  "internal": "problem.failed",
  "key-required": "problem.key",
  "forbidden": "problem.forbidden",
  "bad-signature": "problem.forbidden",
  "unknown-job": "problem.deleted",
  "no-result": "problem.failed",
  "not-retriable": "problem.failed",
  "idempotency-key-reused": "problem.failed",
  "source-failed": "problem.failed",
  "unsupported": "problem.failed",
  "client-gone": "problem.unreachable",
  "slow-body": "problem.slow",
  "too-many-requests": "problem.rate",
  "too-many-connections": "problem.busy",
  "full": "problem.busy",
  "stopping": "problem.busy",
  "deadline": "problem.busy",
  "no-storage": "problem.busy",
  "no-memory": "problem.busy",
  "no-room": "problem.busy",
  "no-disk": "problem.busy",
  "no-resources": "problem.busy",
  "device-lost": "problem.busy",
  "no-endpoint": "problem.busy",
};

// Returns the error of a response. One without a problem was sent by a proxy, so only its status is known.
export function refusal(status, text) {
  try {
    return problem(JSON.parse(text));
  } catch {
    return new Refused("problem.status", { status }, status);
  }
}

export function problem({ type, status, detail }) {
  if (typeof detail !== "string") throw new Error("not a problem");
  const key = PROBLEMS[String(type).split("#").pop()] ?? "problem.status";
  return new Refused(key, { status }, status, detail);
}

export const unreachable = () => new Refused("problem.unreachable");
