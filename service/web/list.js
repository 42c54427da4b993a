// The list of the pictures of this session, with a row for each.

import { resultFacts, stepText, write } from "./facts.js";
import { duration, say, spoken } from "./languages.js";
import { canCopy, drawThumbnail } from "./pictures.js";

const at = (id) => document.getElementById(id);
const LASTING = ["limit.type", "limit.unreadable", "limit.bytes", "limit.pixels"]; // errors of files that no setting changes
const rows = new Map(); // by item

// actions: {cancel, again, show, save, copy, remove}, each a function of an item.
export function drawList(queue, looked, stale, actions) {
  const { items } = queue;
  at("list").hidden = !items.length || (items.length === 1 && items[0] === looked);
  if (at("list").hidden) return;
  for (const [item, row] of rows) {
    if (items.includes(item)) continue;
    row.remove();
    rows.delete(item);
  }
  for (const item of items) {
    if (!rows.has(item)) at("rows").append(made(item));
    drawRow(item, queue.left(item), actions);
    rows.get(item).classList.toggle("looked", item === looked);
  }
  summarise(queue, stale);
}

function made(item) {
  const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
  row.querySelector(".name").textContent = item.file.name;
  row.querySelector("progress").ariaLabel = item.file.name;
  drawThumbnail(row.querySelector("canvas"), item.file);
  rows.set(item, row);
  return row;
}

function drawRow(item, left, actions) {
  const row = rows.get(item);
  const state = row.querySelector(".state");
  const progress = row.querySelector("progress");
  progress.hidden = item.state !== "running";
  if (item.share === null) progress.removeAttribute("value");
  else progress.value = item.share;
  if (item.state === "done") write(state, resultFacts(item.result, true));
  else state.textContent = textOf(item, left);
  row.classList.toggle("bad", item.state === "failed");
  const face = `${item.state} ${spoken()}`;
  if (row.dataset.face === face) return; // so that a button keeps the focus
  row.dataset.face = face;
  const focused = row.contains(document.activeElement);
  row.querySelector(".buttons").replaceChildren(...buttonsOf(item, actions));
  if (focused) row.querySelector("button").focus({ preventScroll: true });
}

function textOf(item, left) {
  if (item.state === "running") return stepText(item, left);
  return item.state === "failed" ? item.error.message : say(`row.${item.state}`);
}

function buttonsOf(item, actions) {
  const offered = {
    waiting: ["cancel"],
    running: ["cancel"],
    done: ["show", ...(canCopy() ? ["copy"] : []), "save", "remove"],
    failed: [...(LASTING.includes(item.error?.key) ? [] : ["again"]), "remove"],
    cancelled: ["again", "remove"],
  }[item.state];
  return offered.map((action) => {
    const button = document.createElement("button");
    const text = say({ cancel: "cancel", show: "row.show", copy: "copy", save: "download", remove: "row.remove", again: "try again" }[action]);
    Object.assign(button, { type: "button", className: `plain ${action}`, textContent: text });
    button.ariaLabel = say("row.named", { action: text, name: item.file.name });
    button.addEventListener("click", () => actions[action](item, button));
    return button;
  });
}

function summarise(queue, stale) {
  const [count, done, failed] = [queue.items.length, queue.count("done"), queue.count("failed")];
  const left = queue.allLeft();
  const parts = [say("list.summary", { count, done: String(done) })];
  if (failed) parts.push(say("list.failed", { count: failed }));
  const text = parts.join(" · ");
  if (at("summary").textContent !== text) at("summary").textContent = text; // a status that is read aloud
  at("left").textContent = left === null ? "" : ` · ${say("list.left", { left: duration(Math.ceil(left)) })}`;
  at("cancel-all").hidden = !queue.unfinished.length;
  at("clear").hidden = queue.unfinished.length > 0;
  at("zip").hidden = done < 2;
  at("all-again").hidden = !stale.length || queue.unfinished.length > 0;
  at("all-again").textContent = say("list.again", { count: stale.length });
}
