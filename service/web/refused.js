// An error whose message is one sentence for the user.
export class Refused extends Error {
  constructor(detail, status = 0) {
    super(`${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`.replace(/\.\.$/, "."));
    this.name = "Refused";
    this.status = status;
  }
}

// Returns whether trying again in another way cannot help: the user must do something, or has cancelled.
export function isFinal(error) {
  return error.name === "Refused" || error.name === "AbortError";
}
