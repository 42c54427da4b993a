// An error whose message is one sentence for the user, in the language of the page at the time when it is read.

import { say, spoken } from "./languages.js";

export class Refused extends Error {
  // `detail` is the sentence of the server, which is in English and more exact than the text of `key`.
  constructor(key, values = {}, status = 0, detail = "") {
    super();
    this.name = "Refused";
    Object.assign(this, { key, values, status, detail });
  }

  get message() {
    return this.detail && spoken() === "en" ? asSentence(this.detail) : say(this.key, this.values);
  }
}

const asSentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, ".");

// Returns whether trying again in another way cannot help: the user must do something, or has cancelled.
export function isFinal(error) {
  return error.name === "Refused" || error.name === "AbortError";
}
