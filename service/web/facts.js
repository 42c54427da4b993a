// What is said about a picture: its step and the time left, and the sizes, the time and the model of its result.

import { bytes, duration, percent, say, sentence } from "./languages.js";

const CONTENTS = ["photograph", "drawing", "line art", "pixel art", "halftone", "dither", "no loss"]; // words of the server for what it sees

export function stepText({ step, share }, left) {
  if (!step) return say("row.waiting");
  const values = { step: sentence(step), share: share === null ? "" : percent(share), left: left === null ? "" : duration(Math.ceil(left)) };
  return say(share === null ? "step.going" : left === null ? "step.share" : "step.left", values);
}

// Returns the parts of the line about a result: the size, which is printed in bold, has {strong}. Rows of a list say less.
export function resultFacts({ before, after, blob, seconds, model, reason }, brief = false) {
  const times = ({ width, height }) => `${width} × ${height}`;
  const sizes = after ? [before ? `${times(before)} → ` : "", { strong: times(after) }, " · "] : [];
  return [...sizes, [bytes(blob.size), duration(seconds), by(model, brief ? "" : reason)].filter(Boolean).join(" · ")];
}

// Why the server chose a model is a list such as "photograph, JPEG 75, x2", whose words have names in each language.
function by(model, reason) {
  if (!reason) return model;
  const words = reason.split(", ").map((word) => {
    const [, format] = /^lossy (.+)$/.exec(word) ?? [];
    return format ? say("content.lossy", { format }) : CONTENTS.includes(word) ? say(`content.${word}`) : word;
  });
  return say("facts.chosen", { model, reason: words.join(", ") });
}

export function write(element, parts) {
  element.replaceChildren(
    ...parts.map((part) => {
      if (typeof part === "string") return part;
      const strong = document.createElement("strong");
      strong.textContent = part.strong;
      return strong;
    }),
  );
}
