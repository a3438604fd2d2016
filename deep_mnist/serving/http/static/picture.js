// An image file as fields of grey levels 0..1: exactly when it has the network's own size, else no larger than needed.
"use strict";

const LARGEST = 392; // pixels a side, from which it is framed
const TYPES = /^image\/(png|jpeg|gif|webp|bmp|avif)$/;

/** The image in a file: {exact, canvas, colour: [red, green, blue], grey}; grey and each colour are fields. */
export async function readPicture(file, {rows, columns}) {
  if (!TYPES.test(file.type)) {
    throw new Error(`Expected a PNG, JPEG, GIF, WebP, AVIF or BMP image. Received: ${file.type || file.name}.`);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`Expected an image that can be decoded. Received: ${file.name || "something else"}.`);
  }
  const exact = bitmap.width === columns && bitmap.height === rows;
  const scale = exact ? 1 : LARGEST / Math.max(bitmap.width, bitmap.height);
  const width = Math.max(1, Math.round(bitmap.width * scale)), height = Math.max(1, Math.round(bitmap.height * scale));
  const {canvas, data: pixels} = drawn(bitmap, width, height);
  bitmap.close();
  const field = (level) => ({width, height, values: Float32Array.from({length: width * height}, (_, i) => level(4 * i) / 255)});
  const colour = [0, 1, 2].map((channel) => field((index) => pixels[index + channel]));
  const grey = field((index) => 0.299 * pixels[index] + 0.587 * pixels[index + 1] + 0.114 * pixels[index + 2]);
  return {exact, canvas, colour, grey};
}

// What is transparent becomes paper, or a blackboard where the drawing is as light as paper.
function drawn(bitmap, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.imageSmoothingQuality = "high";
  for (const ground of ["#fff", "#000"]) {
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0, width, height);
    const {data} = context.getImageData(0, 0, width, height);
    if (ground === "#000" || data.some((level, index) => index % 4 < 3 && level < 245)) return {canvas, data};
  }
}

/** The same of an example that has the network's own size, a field for each channel. */
export function pictureOf(fields) {
  const [{width, height}] = fields, colour = [0, 1, 2].map((channel) => fields[fields.length === 3 ? channel : 0]);
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let index = 0; index < width * height; index++) {
    colour.forEach((field, channel) => (image.data[4 * index + channel] = Math.round(255 * field.values[index])));
    image.data[4 * index + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return {exact: true, canvas, colour, grey: colour[0]};
}
