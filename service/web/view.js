// The picture that is looked at: its progress, then the comparison of before and after.

import { shape, slide } from "./compare.js";
import { resultFacts, stepText, write } from "./facts.js";
import { paragraph } from "./languages.js";
import { resultName } from "./pictures.js";

const at = (id) => document.getElementById(id);
const addresses = { before: null, after: null };
let [item, shownResult] = [null, null];

// Shows an item of the queue, or nothing. Nothing is drawn again that is there already, so that the slider stays.
export async function look(next) {
  [item, shownResult] = [next, null];
  for (const id of ["result", "outcome", "note"]) at(id).hidden = true;
  if (!item) return;
  show("before", item.file);
  if (item.state === "done") return;
  const displayed = await loaded("before");
  if (next === item && displayed && !shownResult) {
    shape(at("before").naturalWidth, at("before").naturalHeight);
    at("compare").className = "compare pending";
    at("result").hidden = false;
  }
}

// Writes what has changed. `left` is the time left, in seconds, or null.
export function refresh(left) {
  const working = item?.state === "running";
  at("work").hidden = !working;
  if (working) {
    at("step").textContent = stepText(item, left);
    if (item.share === null) at("progress").removeAttribute("value");
    else at("progress").value = item.share;
    if (shownResult) {
      shownResult = null; // the same picture again, with other settings
      at("outcome").hidden = at("note").hidden = true;
    }
  }
  if (item?.state !== "done") return;
  if (item.result !== shownResult) present(item.result);
  else if (!at("outcome").hidden) describe(item.result);
}

async function present(result) {
  shownResult = result;
  show("after", result.blob);
  await loaded("after");
  const displayed = await loaded("before");
  if (shownResult !== result) return;
  at("result").hidden = false;
  at("compare").className = displayed ? "compare" : "compare alone";
  shape(at("after").naturalWidth, at("after").naturalHeight);
  slide(50);
  at("models").hidden = !displayed || at("models").disabled;
  describe(result);
  at("outcome").hidden = false;
  at("download").focus({ preventScroll: true });
}

function describe(result) {
  write(at("facts"), resultFacts(result));
  const note = paragraph(result.notes);
  at("note").hidden = !note;
  at("note").textContent = note;
  at("download").href = addresses.after;
  at("download").download = resultName(item.file.name, result.blob, result.after);
}

function loaded(which) {
  return at(which).decode().then(() => true, () => false);
}

function show(which, blob) {
  if (addresses[which]) URL.revokeObjectURL(addresses[which]);
  addresses[which] = URL.createObjectURL(blob);
  at(which).src = addresses[which];
}
