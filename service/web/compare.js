// Compares two pictures: one is over the other, with a slider between them, and both can be zoomed.

import { percent } from "./languages.js";

const at = (id) => document.getElementById(id);
const box = at("compare");
const MAX_ZOOM = 16;
const view = { zoom: 1, x: 0, y: 0 };
const fingers = new Map();

export function slide(share) {
  at("slider").value = share;
  box.style.setProperty("--at", `${share}%`);
}

export function shape(width, height) {
  box.style.setProperty("--shape", `${width} / ${height}`);
  box.style.setProperty("--ratio", width / height);
  zoomTo(1);
}

// Returns the middle of what is seen, {x, y} from 0 to 1 of the picture.
export function middle() {
  return {
    x: (box.clientWidth / 2 - view.x) / (box.clientWidth * view.zoom),
    y: (box.clientHeight / 2 - view.y) / (box.clientHeight * view.zoom),
  };
}

// Zooms so that the point (x, y) of the box stays in place.
function zoomTo(zoom, x = box.clientWidth / 2, y = box.clientHeight / 2) {
  const next = Math.min(Math.max(zoom, 1), MAX_ZOOM);
  move(x - ((x - view.x) / view.zoom) * next, y - ((y - view.y) / view.zoom) * next, next);
}

function move(x, y, zoom = view.zoom) {
  view.zoom = zoom;
  view.x = Math.min(0, Math.max(x, box.clientWidth * (1 - zoom)));
  view.y = Math.min(0, Math.max(y, box.clientHeight * (1 - zoom)));
  box.style.setProperty("--x", `${view.x}px`);
  box.style.setProperty("--y", `${view.y}px`);
  box.style.setProperty("--zoom", zoom);
  box.classList.toggle("near", zoom > 1);
  sayZoom();
  at("nearer").disabled = zoom >= MAX_ZOOM;
  at("farther").disabled = zoom <= 1;
}

export function sayZoom() {
  at("factor").textContent = percent(view.zoom);
}

function place(event) {
  const { left, top } = box.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

function center() {
  const [first, second = first] = [...fingers.values()];
  return {
    x: (first[0] + second[0]) / 2,
    y: (first[1] + second[1]) / 2,
    apart: Math.hypot(first[0] - second[0], first[1] - second[1]),
  };
}

at("slider").addEventListener("input", (event) => slide(event.target.value));
at("slider").addEventListener("keydown", (event) => {
  if (event.key === "+" || event.key === "=") zoomTo(view.zoom * 1.5);
  else if (event.key === "-") zoomTo(view.zoom / 1.5);
  else if (event.key === "0") zoomTo(1);
  else if (view.zoom > 1 && event.shiftKey && event.key.startsWith("Arrow")) {
    event.preventDefault();
    const [dx, dy] = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    move(view.x + dx, view.y + dy);
  }
});
at("nearer").addEventListener("click", () => zoomTo(view.zoom * 1.5));
at("farther").addEventListener("click", () => zoomTo(view.zoom / 1.5));
at("factor").addEventListener("click", () => zoomTo(1));
box.addEventListener("dblclick", (event) => {
  if (!event.target.closest("button")) zoomTo(view.zoom > 1 ? 1 : 4, ...place(event));
});
box.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey && view.zoom === 1) return; // the page scrolls as usual
    event.preventDefault();
    zoomTo(view.zoom * Math.exp(-event.deltaY / 300), ...place(event));
  },
  { passive: false },
);

// Dragging the handle moves the slider. One finger or the mouse moves a picture that is larger than its frame. Two fingers zoom.
at("handle").addEventListener("pointerdown", (event) => {
  event.stopPropagation();
  at("handle").setPointerCapture(event.pointerId);
});
at("handle").addEventListener("pointermove", (event) => {
  if (at("handle").hasPointerCapture(event.pointerId)) slide(Math.min(100, Math.max(0, (place(event)[0] / box.clientWidth) * 100)));
});
box.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button")) return;
  fingers.set(event.pointerId, place(event));
  if (view.zoom > 1) box.setPointerCapture(event.pointerId);
});
box.addEventListener("pointermove", (event) => {
  if (!fingers.has(event.pointerId)) return;
  const before = center();
  fingers.set(event.pointerId, place(event));
  const now = center();
  if (fingers.size === 2 && before.apart > 0) zoomTo((view.zoom * now.apart) / before.apart, now.x, now.y);
  if (view.zoom > 1) move(view.x + now.x - before.x, view.y + now.y - before.y);
});
for (const end of ["pointerup", "pointercancel", "pointerleave"]) box.addEventListener(end, (event) => fingers.delete(event.pointerId));
