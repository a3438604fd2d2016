// The page: what is drawn or chosen becomes the network's input, and its probabilities become bars.
"use strict";

import {champion, heatOf, ownExample, Predictor} from "./client.js";
import {example, fieldsOf, frame, FRAMINGS, inkOf, inputForm, rangeOf, stretched} from "./framing.js";
import {Pad} from "./pad.js";
import {pictureOf, readPicture} from "./picture.js";
import {showChampion, showError, showHeat, showResult, showSeen, say} from "./show.js";

const POLL_MS = 4000, SETTLED_MS = 500;
const by = (id) => document.getElementById(id);

const state = {champion: null, form: {}, picture: null, framing: "", invert: false, timer: 0, frame: 0};
const predictor = new Predictor({onResult: received, onError: failed});
const pad = new Pad(by("pad"), {onChange: drawnOn, onPen: (down) => say(down ? "Pen down." : "Pen lifted.")});

function received(result, settled) {
  showResult(result.probabilities, state.champion.classes, result.warnings);
  if (result.version && result.version !== state.champion.version) refresh();
  if (settled) announce(result.probabilities);
}

function failed(error) {
  clearTimeout(state.timer);
  showError(error);
}

function announce(probabilities) {
  clearTimeout(state.timer);
  state.timer = setTimeout(() => {
    const best = probabilities.indexOf(Math.max(...probabilities));
    const result = `${state.champion.classes[best] ?? best}, ${(100 * probabilities[best]).toFixed(1)} %`;
    say([result, by("doubt").textContent].filter(Boolean).join(". ") + ".");
  }, SETTLED_MS);
}

// A stroke reports faster than the screen shows.
function drawnOn() {
  if (!state.form.rows) return;
  if (state.picture && !pad.blank) setPicture(null);
  state.frame ||= requestAnimationFrame(() => {
    state.frame = 0;
    update();
  });
}

// How the framing stands unless chosen: an image of the network's own size is taken as it is.
function usualFraming() {
  if (state.picture?.exact || state.form.channels === 3) return "stretch";
  return state.picture && state.champion.source !== "mnist" ? "fit" : "mnist";
}

function channels() {
  const {rows, columns, channels: count} = state.form, framing = state.framing || usualFraming();
  const inverted = (field) => field && {...field, values: field.values.map((value) => (state.invert ? 1 - value : value))};
  const {picture} = state;
  if (picture && (count === 3 || framing === "stretch")) {
    const fields = count === 3 ? picture.colour : [picture.grey];
    return fields.map((field) => inverted(stretched(field, columns, rows)));
  }
  const ink = picture ? inkOf(picture.grey, {plain: framing === "mnist"}).field : pad.field();
  const framed = inverted(frame(ink, columns, rows, framing));
  return framed && Array(count).fill(framed);
}

function update() {
  const empty = !state.picture && pad.blank;
  const shown = empty ? null : channels();
  by("clear").disabled = by("undo").disabled = empty;
  by("undo").disabled ||= Boolean(state.picture);
  by("heat").disabled = empty;
  showSeen(shown, state.form);
  if (shown) return predictor.ask(example(state.form, shown, state.champion.input));
  predictor.cancel();
  clearTimeout(state.timer);
  showResult(null, state.champion?.classes ?? [], []);
}

function setPicture(picture, name = "") {
  state.picture = picture;
  pad.show(picture?.canvas ?? null);
  by("chosen").textContent = picture ? `${name || "pasted image"}, ${picture.exact ? "of the network's own size" : "framed"}` : "";
}

async function takeExample() {
  try {
    const number = Math.floor(Math.random() * state.champion.golden);
    const {example: nested, label} = await ownExample(number);
    pad.clear();
    setPicture(pictureOf(fieldsOf(state.form, nested, rangeOf(state.champion.input))), "");
    by("chosen").textContent = `example ${number + 1} of ${state.champion.golden} of the test data, labelled ${label}`;
    update();
    say(`An example labelled ${label}.`);
  } catch (error) {
    showError(error);
  }
}

// Once for what is shown now: the gradient costs more than the prediction.
async function showWhatMattered() {
  const {form} = state, sent = channels();
  if (!sent) return;
  try {
    const heat = await heatOf(example(form, sent, state.champion.input));
    showHeat(fieldsOf(form, heat, [0, 1]));
    by("heat-note").textContent = "Orange spoke for the prediction, blue against it: gradient × input.";
    say("The map of what mattered is shown.");
  } catch (error) {
    by("heat-note").textContent = error.message;
  }
}

async function take(file) {
  if (!file || !state.form.rows) return;
  try {
    const picture = await readPicture(file, state.form);
    pad.clear();
    setPicture(picture, file.name);
    update();
  } catch (error) {
    showError(error);
  }
}

function clear() {
  setPicture(null);
  pad.clear();
  update();
  say("Cleared.");
}

async function refresh() {
  let facts;
  try {
    facts = await champion();
  } catch (error) {
    if (!state.champion) showError(error);
    by("connection").textContent = error.message;
    return;
  }
  by("connection").textContent = "";
  const before = state.champion;
  if (before?.version === facts.version && before?.name === facts.name) return;
  state.champion = facts;
  state.form = inputForm(facts.input);
  predictor.name = facts.name;
  showChampion(facts, state.form);
  if (before) say(`Version ${facts.version} is the champion now.`);
  if (state.form.rows) update();
  document.body.dataset.ready = "";
}

// --- features: numbers instead of a drawing --------------------------------------------------------------------

function predictFeatures(event) {
  event.preventDefault();
  const numbers = by("numbers").value.split(/[\s,;]+/).filter(Boolean).map(Number);
  const {features} = state.form;
  if (numbers.length !== features || !numbers.every(Number.isFinite)) {
    return showError(new Error(`Expected ${features} numbers. Received: ${numbers.filter(Number.isFinite).length}.`));
  }
  predictor.ask(numbers);
}

// --- events ----------------------------------------------------------------------------------------------------

const offered = (transfer) => [...(transfer?.files ?? [])][0];
const listen = (target, name, handler) => target.addEventListener(name, handler);

for (const [value, text] of Object.entries(FRAMINGS)) by("framing").append(new Option(text, value));
listen(by("clear"), "click", clear);
listen(by("undo"), "click", () => pad.undo());
listen(by("example"), "click", takeExample);
listen(by("heat"), "click", showWhatMattered);
listen(by("file"), "change", (event) => {
  take(event.target.files[0]);
  event.target.value = ""; // the same file may be chosen again
});
listen(by("framing"), "change", (event) => {
  state.framing = event.target.value;
  update();
});
listen(by("invert"), "change", (event) => {
  state.invert = event.target.checked;
  update();
});
listen(by("features"), "submit", predictFeatures);
listen(document, "paste", (event) => take(offered(event.clipboardData)));
listen(document, "dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
for (const name of ["dragleave", "drop"]) {
  listen(document, name, (event) => {
    if (name === "drop" || !event.relatedTarget) document.body.classList.remove("dragging");
  });
}
listen(document, "drop", (event) => {
  event.preventDefault();
  take(offered(event.dataTransfer));
});
listen(document, "visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), POLL_MS);
refresh();
