// A detail of a picture in each model, side by side, with the cost for the whole picture.

import { bodyOf, request } from "./job.js";
import { say } from "./languages.js";
import { modelFacts } from "./models.js";

const DETAIL_PX = 96; // so that a result at twice the size is seen pixel by pixel
const at = (id) => document.getElementById(id);
let working = null;
const addresses = [];

// Opens the dialog. `center` {x, y} is the middle of the detail, from 0 to 1. The detail is sent to the ordinary route for each of
// the server's `models`, one after the other. use(name) is called with the model that the user takes.
export async function previewModels(file, center, models, used, scale, headers, use) {
  close();
  const controller = (working = new AbortController());
  const { blob, width, height, whole } = await detailOf(file, center);
  at("preview-lead").textContent = say("preview.lead", { width, height });
  const figures = models.map((model) => figureOf(model.name, modelFacts(model, whole.width, whole.height, scale), model.name === used, () => {
    at("preview").close();
    use(model.name);
  }));
  const original = figureOf(null);
  at("figures").replaceChildren(original.figure, ...figures.map(({ figure }) => figure));
  at("preview").showModal();
  original.show(blob, width * scale);
  for (const [k, { name }] of models.entries()) {
    const query = new URLSearchParams({ model: name, scale, format: "png" });
    const options = { method: "POST", headers: { ...headers, "Content-Type": "image/png" }, body: blob, signal: controller.signal };
    try {
      figures[k].show(await bodyOf(await request(`v1/upscale?${query}`, options)), width * scale);
    } catch (error) {
      if (controller.signal.aborted) return;
      figures[k].say(error.message);
    }
  }
}

function figureOf(name, facts = [], used = false, take = null) {
  const figure = document.getElementById("figure").content.firstElementChild.cloneNode(true);
  const [image, state, title, about, button] = ["img", ".computing", ".name", ".state", "button"].map((part) => figure.querySelector(part));
  title.textContent = name ?? say("preview.original");
  about.textContent = facts.join(" · ");
  state.textContent = say("preview.computing");
  image.alt = title.textContent;
  button.hidden = name === null;
  button.textContent = say(used ? "preview.used" : "preview.use");
  button.ariaLabel = say("row.named", { action: button.textContent, name });
  button.disabled = used;
  button.addEventListener("click", take);
  return {
    figure,
    say: (text) => (state.textContent = text),
    show: (blob, width) => {
      addresses.push(URL.createObjectURL(blob));
      Object.assign(image, { src: addresses.at(-1), width: Math.round(width), hidden: false });
      state.hidden = true;
    },
  };
}

// Returns the detail as a PNG {blob, width, height}, and the size of the `whole` picture.
async function detailOf(file, { x, y }) {
  const picture = await createImageBitmap(file);
  const whole = { width: picture.width, height: picture.height };
  const [width, height] = [Math.min(DETAIL_PX, whole.width), Math.min(DETAIL_PX, whole.height)];
  const place = (share, length, side) => Math.round(Math.min(Math.max(share * length - side / 2, 0), length - side));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(picture, -place(x, whole.width, width), -place(y, whole.height, height));
  picture.close();
  return { blob: await canvas.convertToBlob({ type: "image/png" }), width, height, whole };
}

function close() {
  working?.abort();
  for (const address of addresses.splice(0)) URL.revokeObjectURL(address);
}

at("preview").addEventListener("close", close);
