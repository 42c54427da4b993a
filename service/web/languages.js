// The languages of the page: its texts, in strings/, and its numbers.

import en from "./strings/en.js";

export const LANGUAGES = { en: "English", de: "Deutsch", zh: "中文", es: "Español" };
const TAGS = { zh: "zh-Hans" };
const KEPT = "upconv.language";
let [language, texts] = ["en", en];

export const spoken = () => language;
export const tag = () => TAGS[language] ?? language;

// A text that is not said yet, so that it follows a change of the language. Values are numbers, texts, phrases or lists of phrases.
export const phrase = (key, values = {}) => ({ key, values });

export const has = (key) => key in en;

export async function speak(wanted) {
  texts = wanted === "en" ? en : (await import(`./strings/${wanted}.js`)).default;
  language = wanted;
}

// Returns the text of a key, with its placeholders filled. `count` chooses among the forms of a number.
export function say(key, values = {}) {
  const found = texts[key];
  const text = typeof found === "string" ? found : (found[new Intl.PluralRules(tag()).select(values.count)] ?? found.other);
  return text.replace(/\{(\w+)\}([.。]?)/g, (_, name, end) => {
    const filled = sentence(values[name]);
    return /[.。]$/.test(filled) && end ? filled : filled + end; // a sentence in a sentence has one full stop
  });
}

// Returns a phrase in words. Texts, such as names of files, stay as they are.
export function sentence(given) {
  if (given === null || given === undefined) return "";
  if (Array.isArray(given)) return given.map(sentence).filter(Boolean).join(texts["between reasons"]);
  if (typeof given === "number") return new Intl.NumberFormat(tag(), { useGrouping: false }).format(given);
  return typeof given === "object" ? say(given.key, given.values) : given;
}

export const paragraph = (phrases) => phrases.map(sentence).filter(Boolean).join(texts["between sentences"]);

// Returns the language that was chosen here before, or the first of the browser's that the page has.
export function preferred() {
  const wanted = [kept(), ...navigator.languages].map((name) => (name ?? "").toLowerCase().split("-")[0]);
  return wanted.find((name) => name in LANGUAGES) ?? "en";
}

// A browser may forbid storage. Then the choice lasts as long as the page.
function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

export function keep(name) {
  try {
    localStorage.setItem(KEPT, name);
  } catch {
    // as said above
  }
}

// Writes the texts of all elements that name theirs: data-say for the text, data-say-NAME for an attribute.
export function translate(root = document) {
  document.documentElement.lang = tag();
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const [name, attribute] of Object.entries({ label: "aria-label", title: "title", alt: "alt" })) {
    for (const element of root.querySelectorAll(`[data-say-${name}]`)) {
      element.setAttribute(attribute, say(element.getAttribute(`data-say-${name}`)));
    }
  }
}

const formatted = (value, options) => new Intl.NumberFormat(tag(), options).format(value).replaceAll(" ", "\u00a0");
const unit = (value, name, digits = 0) => formatted(value, { style: "unit", unit: name, maximumFractionDigits: digits });

export const percent = (share) => formatted(Math.round(share * 100) / 100, { style: "percent" });

export function bytes(number) {
  return number < 1e6 ? unit(Math.max(1, Math.round(number / 1e3)), "kilobyte") : unit(number / 1e6, "megabyte", 1);
}

export function duration(seconds) {
  if (seconds < 1) return unit(Math.round(seconds * 1000), "millisecond");
  return seconds < 90 ? unit(seconds, "second", seconds < 10 ? 1 : 0) : unit(Math.round(seconds / 60), "minute");
}
