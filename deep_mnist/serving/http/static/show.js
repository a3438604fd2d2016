// What the page shows: bars, what the network sees, the champion, warnings and errors.
"use strict";

const MOST_BARS = 12; // of more classes, only the likeliest
const by = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Say something to who does not see the page change. */
export function say(text) {
  by("said").textContent = text;
}

/** Probabilities as bars, the best one as the result; null: nothing to predict yet. */
export function showResult(probabilities, classes, warnings) {
  by("error").hidden = true;
  const count = probabilities?.length ?? classes.length;
  const name = (index) => classes[index] ?? String(index);
  const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
  by("result").textContent = probabilities ? name(best) : "–";
  by("confidence").textContent = probabilities ? percent(probabilities[best]) : "";
  by("doubt").textContent = probabilities ? doubt(probabilities, best, name) : "";
  showHeat(null);
  let shown = Array.from({length: count}, (_, index) => index);
  if (count > MOST_BARS) shown = shown.sort((a, b) => (probabilities?.[b] ?? 0) - (probabilities?.[a] ?? 0)).slice(0, MOST_BARS);
  by("bars").replaceChildren(...shown.map((index) => bar(name(index), probabilities?.[index], index === best)));
  showWarnings(warnings);
}

// The second guess is told however faint: what a network is unsure of is often there.
function doubt(probabilities, best, name) {
  const second = probabilities.reduce((found, share, index) => (index !== best && !(share <= probabilities[found]) ? index : found), -1);
  return second < 0 ? "" : `Second guess: ${name(second)}, ${percent(probabilities[second])}`;
}

function bar(name, share, best) {
  const filled = element("span", {className: "filled"});
  filled.style.width = `${100 * (share ?? 0)}%`;
  const children = [
    element("span", {className: "name", textContent: name}),
    element("span", {className: "track"}, [filled]),
    element("span", {className: "share", textContent: share === undefined ? "" : percent(share)}),
  ];
  children[1].setAttribute("aria-hidden", "true");
  return element("li", {className: best ? "best" : ""}, children);
}

function showWarnings(warnings) {
  const box = by("warnings");
  box.hidden = !warnings.length;
  const texts = warnings.map((each) => (typeof each === "string" ? {received: each} : each));
  by("warning-list").replaceChildren(
    ...texts.map(({field, expected, received, fix}) =>
      element("li", {}, [
        ...(field ? [element("code", {textContent: field}), " "] : []),
        expected ? `Expected ${expected}. Received: ${received}.` : String(received),
        ...(fix ? [` Fix: ${fix}`] : []),
      ]),
    ),
  );
}

/** An error in place of the result. */
export function showError({message, expected, received, fix}) {
  by("error").hidden = false;
  by("error").textContent = expected ? `Expected ${expected}. Received: ${received}. Fix: ${fix}` : message;
}

/** What the network sees, pixel by pixel; null: nothing. */
export function showSeen(channels, {rows, columns}) {
  const canvas = by("seen"), context = canvas.getContext("2d", {willReadFrequently: true});
  Object.assign(canvas, {width: columns, height: rows});
  const image = context.createImageData(columns, rows);
  for (let index = 0; index < rows * columns; index++) {
    for (let channel = 0; channel < 3; channel++) {
      const field = channels?.[channels.length === 3 ? channel : 0];
      image.data[4 * index + channel] = field ? Math.round(255 * field.values[index]) : 0;
    }
    image.data[4 * index + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** What mattered, over what the network sees: fields from -1 (against) to 1 (for); null: nothing. */
export function showHeat(fields) {
  const canvas = by("heat-map");
  by("heat-figure").hidden = !fields;
  by("heat-note").textContent = "";
  if (!fields) return;
  const [{width, height}] = fields;
  Object.assign(canvas, {width, height});
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const colours = [[214, 96, 0], [0, 101, 189]]; // for, against: told apart by who sees no red or no green
  const totals = Array.from({length: width * height}, (_, index) => fields.reduce((sum, {values}) => sum + values[index], 0));
  const most = Math.max(1e-9, ...totals.map(Math.abs));
  totals.forEach((total, index) => {
    const strength = Math.sqrt(Math.abs(total) / most), colour = colours[total < 0 ? 1 : 0];
    colour.forEach((level, channel) => (image.data[4 * index + channel] = Math.round(255 + strength * (level - 255))));
    image.data[4 * index + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

/** The champion's facts, and the input that suits it: a drawing, or numbers. */
export function showChampion(facts, form) {
  const {input} = facts, size = `${form.rows} × ${form.columns}${form.channels === 3 ? " × 3" : ""}`;
  document.title = `${facts.name} version ${facts.version}`;
  by("name").textContent = facts.name;
  by("version").textContent = facts.restores ? `${facts.version} (version ${facts.restores} again)` : facts.version;
  by("accuracy").textContent = `${facts.accuracy.toFixed(4)} on ${facts.examples} images`;
  by("promoted").textContent = facts.promoted ? new Date(facts.promoted).toLocaleString() : "";
  by("reason").textContent = facts.reason ?? "";
  by("input").textContent = `${input.dtype} (${input.shape.map((side) => side ?? "any").join(", ")})`;
  for (const id of ["draw", "options", "sight"]) by(id).hidden = !form.rows;
  by("features").hidden = Boolean(form.rows) || !form.features;
  by("seen-caption").textContent = form.rows ? `What the network sees: ${size} pixels` : "";
  by("wanted").textContent = form.features ? `${form.features} numbers, one per feature column, in the order of the training data` : "";
  by("unknown").hidden = Boolean(form.rows || form.features);
  by("framing-row").hidden = form.channels === 3;
  by("example").hidden = !facts.golden;
  by("heat").hidden = !form.rows || !facts.heat;
  by("no-heat").hidden = !form.rows || facts.heat;
}
