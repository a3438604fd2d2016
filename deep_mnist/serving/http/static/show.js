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
  let shown = Array.from({length: count}, (_, index) => index);
  if (count > MOST_BARS) shown = shown.sort((a, b) => (probabilities?.[b] ?? 0) - (probabilities?.[a] ?? 0)).slice(0, MOST_BARS);
  by("bars").replaceChildren(...shown.map((index) => bar(name(index), probabilities?.[index], index === best)));
  showWarnings(warnings);
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
}
