// Talks to the server: one prediction at a time, the latest image next, no stale result.
"use strict";

const LEAST_MS = 60; // between two requests

/** What the server refused, or that it could not be reached. */
export class RequestError extends Error {
  constructor({error, expected, received, fix}) {
    super(error);
    Object.assign(this, {expected, received, fix});
  }
}

async function fetched(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new RequestError({error: "The server does not respond."});
  }
  let document = null;
  try {
    document = await response.json();
  } catch { /* told below */ }
  if (response.ok && document) return {document, version: response.headers.get("x-model-version")};
  throw new RequestError(document?.error ? document : {error: `The server responded with status ${response.status}.`});
}

/** The champion's facts. */
export const champion = async () => (await fetched("champion.json", {cache: "no-store"})).document;

/** One of the version's own examples: {example, label}. */
export const ownExample = async (number) => (await fetched(`example/${number}`)).document;

/** What mattered for the prediction of an example: nested as the network's input, -1 to 1. */
export async function heatOf(example) {
  const headers = {"content-type": "application/json"}, body = JSON.stringify({instances: [example]});
  return (await fetched("heat", {method: "POST", headers, body})).document.heat;
}

/** Predictions for the latest of a stream of examples. */
export class Predictor {
  /** onResult gets ({prediction, warnings, version}, settled), onError gets (error, settled). */
  constructor({onResult, onError}) {
    Object.assign(this, {onResult, onError, name: "", waiting: null, busy: false, series: 0});
  }

  /** Ask for a prediction of an example, in place of any that has not been sent yet. */
  ask(example) {
    this.waiting = example;
    if (!this.busy) this.#work();
  }

  /** Forget what was asked; its result will not be shown. */
  cancel() {
    this.waiting = null;
    this.series++;
  }

  async #work() {
    this.busy = true;
    while (this.waiting) {
      const example = this.waiting, series = this.series;
      this.waiting = null;
      const pause = new Promise((done) => setTimeout(done, LEAST_MS));
      try {
        const result = await this.#predicted(example);
        if (series === this.series) this.onResult(result, !this.waiting);
      } catch (error) {
        if (series === this.series) this.onError(error, !this.waiting);
      }
      await pause;
    }
    this.busy = false;
  }

  async #predicted(example) {
    const body = JSON.stringify({instances: [example]});
    const headers = {"content-type": "application/json"};
    const address = `v1/models/${encodeURIComponent(this.name)}:predict`;
    const {document, version} = await fetched(address, {method: "POST", headers, body});
    const [first] = document.predictions;
    const probabilities = Array.isArray(first) ? first : first.probabilities;
    return {probabilities, warnings: document.warnings ?? [], version: Number(version)};
  }
}
