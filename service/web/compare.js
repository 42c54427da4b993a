// Two pictures over each other, a slider between them, and a magnifying glass over both.

const at = (id) => document.getElementById(id);
const box = at("compare");
const MOST = 16;
const view = { zoom: 1, x: 0, y: 0 };
const fingers = new Map();

export function slide(share) {
  at("slider").value = share;
  box.style.setProperty("--at", `${share}%`);
}

export function shape(width, height) {
  box.style.setProperty("--shape", `${width} / ${height}`);
  box.style.setProperty("--ratio", width / height);
  look(1);
}

// Zoom so that the point (x, y) of the box stays where it is.
function look(zoom, x = box.clientWidth / 2, y = box.clientHeight / 2) {
  const next = Math.min(Math.max(zoom, 1), MOST);
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
  at("factor").textContent = `${Math.round(zoom * 100)} %`;
  at("nearer").disabled = zoom >= MOST;
  at("farther").disabled = zoom <= 1;
}

function place(event) {
  const { left, top } = box.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

function middle() {
  const [one, two = one] = [...fingers.values()];
  return { x: (one[0] + two[0]) / 2, y: (one[1] + two[1]) / 2, apart: Math.hypot(one[0] - two[0], one[1] - two[1]) };
}

at("slider").addEventListener("input", (event) => slide(event.target.value));
at("slider").addEventListener("keydown", (event) => {
  if (event.key === "+" || event.key === "=") look(view.zoom * 1.5);
  else if (event.key === "-") look(view.zoom / 1.5);
  else if (event.key === "0") look(1);
  else if (view.zoom > 1 && event.shiftKey && event.key.startsWith("Arrow")) {
    event.preventDefault();
    const [dx, dy] = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    move(view.x + dx, view.y + dy);
  }
});
at("nearer").addEventListener("click", () => look(view.zoom * 1.5));
at("farther").addEventListener("click", () => look(view.zoom / 1.5));
at("factor").addEventListener("click", () => look(1));
box.addEventListener("dblclick", (event) => {
  if (!event.target.closest("button")) look(view.zoom > 1 ? 1 : 4, ...place(event));
});
box.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey && view.zoom === 1) return; // the page scrolls, as it would anywhere else
    event.preventDefault();
    look(view.zoom * Math.exp(-event.deltaY / 300), ...place(event));
  },
  { passive: false },
);

// The handle slides, one finger or the mouse moves the picture where it is larger than its frame, and two fingers pinch.
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
  const before = middle();
  fingers.set(event.pointerId, place(event));
  const now = middle();
  if (fingers.size === 2 && before.apart > 0) look((view.zoom * now.apart) / before.apart, now.x, now.y);
  if (view.zoom > 1) move(view.x + now.x - before.x, view.y + now.y - before.y);
});
for (const end of ["pointerup", "pointercancel", "pointerleave"]) box.addEventListener(end, (event) => fingers.delete(event.pointerId));
