// From what was drawn or chosen to the pixels that the network takes; plain functions of arrays, no page.
//
// A field is {width, height, values}: Float32Array of width * height, row by row, 0 (background) to 1 (ink).
"use strict";

const BOX = 20 / 28; // of the frame: MNIST's makers scaled each digit, its longer side, to 20 pixels of 28
const FAINT = 0.08; // below it counts as background
const SURE = 0.25; // of the darkest ink, in a photo of a sheet: below it are shades and grain
const CELLS = 12; // a side, in which the light on a sheet is taken for even

export const FRAMINGS = {
  mnist: "as MNIST's makers did: scaled into a box of 20 × 20 of 28, centre of mass to the centre",
  fit: "scaled to fill the frame, in the middle",
  stretch: "as it is, stretched to the frame",
};

/** The smallest rectangle that holds all ink, or null of a blank field. */
export function inkBox({width, height, values}) {
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0, index = 0; y < height; y++) {
    for (let x = 0; x < width; x++, index++) {
      if (values[index] < FAINT) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? null : {left, top, width: right - left + 1, height: bottom - top + 1};
}

/** Centre of mass of a field in its own coordinates, where a pixel's centre lies at its index + 0.5. */
export function centreOfMass({width, height, values}) {
  let mass = 0, x = 0, y = 0;
  for (let row = 0, index = 0; row < height; row++) {
    for (let column = 0; column < width; column++, index++) {
      mass += values[index];
      x += values[index] * (column + 0.5);
      y += values[index] * (row + 0.5);
    }
  }
  return mass ? {x: x / mass, y: y / mass} : {x: width / 2, y: height / 2};
}

/** The mean of a field over each pixel of a frame: source = origin + frame * step; outside the field lies background. */
export function resample(field, columns, rows, {x, y, stepX, stepY}) {
  const across = shares(columns, x, stepX, field.width);
  const down = shares(rows, y, stepY, field.height);
  const values = new Float32Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (const [line, weight] of down[row]) {
        const start = line * field.width;
        for (const [place, share] of across[column]) sum += weight * share * field.values[start + place];
      }
      values[row * columns + column] = sum;
    }
  }
  return {width: columns, height: rows, values};
}

// For each pixel of an axis: which source pixels it covers, and what share of it each has.
function shares(count, origin, step, length) {
  return Array.from({length: count}, (_, index) => {
    const low = origin + index * step, high = low + step, found = [];
    for (let place = Math.max(0, Math.floor(low)); place < Math.min(length, Math.ceil(high)); place++) {
      const share = (Math.min(high, place + 1) - Math.max(low, place)) / step;
      if (share > 1e-9) found.push([place, share]);
    }
    return found;
  });
}

/** Frame a field as the network's images are; returns a field of columns x rows, or null of a blank one. */
export function frame(field, columns, rows, framing) {
  const box = inkBox(field);
  if (!box) return null;
  if (framing === "stretch") return stretched(field, columns, rows);
  const share = framing === "mnist" ? BOX : 1;
  const step = Math.max(box.width / Math.round(columns * share), box.height / Math.round(rows * share));
  const [width, height] = [Math.ceil(box.width / step - 1e-6), Math.ceil(box.height / step - 1e-6)];
  const scaled = resample(field, width, height, {x: box.left, y: box.top, stepX: step, stepY: step});
  const centre = framing === "mnist" ? centreOfMass(scaled) : {x: width / 2 + 0.25, y: height / 2 + 0.25};
  const left = Math.min(columns - width, Math.max(0, moved(centre.x, columns)));
  const top = Math.min(rows - height, Math.max(0, moved(centre.y, rows)));
  const framed = resample(scaled, columns, rows, {x: -left, y: -top, stepX: 1, stepY: 1});
  return framing === "mnist" ? strengthened(framed) : framed;
}

// Lines thinner than a pixel come out faint; MNIST's digits reach white.
function strengthened(field) {
  const most = field.values.reduce((one, other) => Math.max(one, other), 0);
  return {...field, values: field.values.map((value) => value / most)};
}

// By how many whole pixels MNIST's makers moved a digit: its centre of mass comes to lie within half a pixel of the
// centre of pixel 14 of 0..27, in all 60,000 training digits. A middle is moved likewise.
const moved = (centre, length) => Math.ceil(length / 2 - centre);

/** The whole field in columns x rows, blank or not. */
export function stretched(field, columns, rows) {
  return resample(field, columns, rows, {x: 0, y: 0, stepX: field.width / columns, stepY: field.height / rows});
}

/** The ink of an image of grey levels 0..1: how far each lies from the background, which the border tells. Of a photo
 *  of a sheet (`plain`) the background is told anew for each part, for light falls unevenly, and what is faint is none. */
export function inkOf(grey, {plain}) {
  const light = borderLevel(grey) > 0.5;
  const dark = {...grey, values: light ? grey.values.map((value) => 1 - value) : grey.values};
  const ground = plain ? groundOf(dark) : () => borderLevel(dark);
  const values = dark.values.map((value, index) => Math.max(0, value - ground(index)));
  const most = values.reduce((one, other) => Math.max(one, other), 0);
  if (most < FAINT) return {light, field: {...grey, values: values.fill(0)}};
  const floor = plain ? SURE : 0;
  const levels = values.map((value) => (value / most < floor ? 0 : value / most));
  return {light, field: {...grey, values: levels}};
}

// The background at each pixel: the darkest of the cells around it, each taken at its lower quartile, so that a stroke
// narrower than two cells leaves no trace; between the cells' centres it changes evenly.
function groundOf({width, height, values}) {
  const quartile = (column, row) => {
    const found = [];
    const [left, right] = [column, column + 1].map((each) => Math.round((each * width) / CELLS));
    const [top, bottom] = [row, row + 1].map((each) => Math.round((each * height) / CELLS));
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) found.push(values[y * width + x]);
    return found.sort((one, other) => one - other)[found.length >> 2] ?? 1;
  };
  const cells = grid(CELLS, quartile);
  const least = grid(CELLS, (column, row) => Math.min(...around(cells, column, row)));
  return (index) => {
    const x = (((index % width) + 0.5) * CELLS) / width - 0.5, y = ((Math.floor(index / width) + 0.5) * CELLS) / height - 0.5;
    const [column, row] = [Math.floor(x), Math.floor(y)], [right, down] = [x - column, y - row];
    const at = (a, b) => least[within(b)][within(a)];
    const upper = at(column, row) * (1 - right) + at(column + 1, row) * right;
    const lower = at(column, row + 1) * (1 - right) + at(column + 1, row + 1) * right;
    return upper * (1 - down) + lower * down;
  };
}

const within = (cell) => Math.min(CELLS - 1, Math.max(0, cell));
const grid = (side, value) => Array.from({length: side}, (_, row) => Array.from({length: side}, (_, column) => value(column, row)));
const around = (cells, column, row) => [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => cells[within(row + y)][within(column + x)]));

/** The median of the outermost pixels. */
export function borderLevel({width, height, values}) {
  const found = [];
  for (let x = 0; x < width; x++) found.push(values[x], values[(height - 1) * width + x]);
  for (let y = 1; y < height - 1; y++) found.push(values[y * width], values[y * width + width - 1]);
  found.sort((one, other) => one - other);
  return found[found.length >> 1];
}

/** What the input of a network means to a page: an image of rows x columns x channels, or `features` numbers. */
export function inputForm({shape, kind}) {
  const sides = shape.map((side) => side ?? 28);
  if (sides.length === 1) {
    const side = Math.round(Math.sqrt(sides[0]));
    const square = side * side === sides[0] && (kind ? kind === "images" : side >= 8);
    return square ? {rows: side, columns: side, channels: 1, order: "flat", features: sides[0]} : {features: sides[0]};
  }
  if (sides.length === 2) return {rows: sides[0], columns: sides[1], channels: 1, order: "plain"};
  if (sides.length !== 3) return {};
  const [first, second, third] = sides;
  if ([1, 3].includes(third)) return {rows: first, columns: second, channels: third, order: "last"};
  if ([1, 3].includes(first)) return {rows: second, columns: third, channels: first, order: "first"};
  return {};
}

/** Nested lists of one example, as the network's input takes it, from one field per channel. */
export function example(form, channels, input) {
  const [low, high] = rangeOf(input), {dtype} = input;
  const whole = !dtype.startsWith("float");
  const level = (value) => {
    const scaled = low + Math.min(1, Math.max(0, value)) * (high - low);
    return whole ? Math.round(scaled) : Number(scaled.toFixed(4));
  };
  const {rows, columns, order} = form;
  const grid = (pixel) => Array.from({length: rows}, (_, y) => Array.from({length: columns}, (_, x) => pixel(y * columns + x)));
  const of = (field) => (index) => level(field.values[index]);
  if (order === "flat") return Array.from(channels[0].values, level);
  if (order === "plain") return grid(of(channels[0]));
  if (order === "first") return channels.map((field) => grid(of(field)));
  return grid((index) => channels.map((field) => of(field)(index)));
}

/** The inverse of `example`: a field for each channel, of values from low to high. */
export function fieldsOf({rows, columns, channels: count, order}, nested, [low, high]) {
  const flat = nested.flat(Infinity), size = rows * columns;
  const place = (index, channel) => (order === "first" ? channel * size + index : index * count + channel);
  return Array.from({length: count}, (_, channel) => ({
    width: columns,
    height: rows,
    values: Float32Array.from({length: size}, (_, index) => (flat[place(index, channel)] - low) / (high - low)),
  }));
}

/** The range of the values that an input holds. */
export const rangeOf = ({dtype, range}) => range ?? (dtype === "uint8" ? [0, 255] : [0, 1]);
