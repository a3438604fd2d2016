// The drawing area: mouse, touch and pen draw; so do the arrow keys with the pen put down.
"use strict";

const PEN = 0.075; // width of a stroke, as a share of the area's side: about 2 of MNIST's 28 pixels
const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const STEP = 1 / 28;
const RASTER = 392; // pixels a side in which the ink is read: 14 for each of MNIST's

export class Pad {
  /** onChange is called after every change; onPen with what the keyboard did to the pen. */
  constructor(canvas, {onChange, onPen}) {
    Object.assign(this, {canvas, onChange, onPen});
    this.strokes = []; // each a list of {x, y}, 0..1
    this.picture = null; // shown in place of strokes: a canvas
    this.open = new Map(); // pointer -> the stroke it draws
    this.cursor = {x: 0.5, y: 0.25};
    this.penDown = null; // the stroke that the keyboard draws
    this.raster = document.createElement("canvas");
    this.raster.width = this.raster.height = RASTER;
    const listen = (name, handler) => canvas.addEventListener(name, handler);
    listen("pointerdown", (event) => this.#begin(event));
    listen("pointermove", (event) => this.#extend(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      listen(name, (event) => this.open.delete(event.pointerId));
    }
    listen("keydown", (event) => this.#key(event));
    for (const name of ["focus", "blur"]) listen(name, () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  get blank() {
    return !this.strokes.length;
  }

  clear() {
    this.strokes = [];
    this.open.clear();
    this.penDown = null;
    this.#changed();
  }

  undo() {
    const last = this.strokes.pop();
    if (last === this.penDown) this.penDown = null;
    this.#changed();
  }

  /** Show an image instead of strokes; null: none. */
  show(picture) {
    this.picture = picture;
    this.draw();
  }

  /** The ink as a field, 0..1. */
  field() {
    const context = this.raster.getContext("2d", {willReadFrequently: true});
    context.fillStyle = "#000";
    context.fillRect(0, 0, RASTER, RASTER);
    this.#paint(context, RASTER, "#fff");
    const {data} = context.getImageData(0, 0, RASTER, RASTER);
    return {width: RASTER, height: RASTER, values: Float32Array.from({length: RASTER * RASTER}, (_, i) => data[4 * i] / 255)};
  }

  /** Draw the area anew, at the screen's own resolution. */
  draw() {
    const {canvas} = this, side = Math.max(1, Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d"), style = getComputedStyle(canvas);
    context.clearRect(0, 0, side, side);
    if (this.picture) this.#paintPicture(context, side);
    this.#paint(context, side, style.getPropertyValue("--ink").trim() || style.color);
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) this.#paintCursor(context, side, style);
  }

  #paint(context, side, ink) {
    Object.assign(context, {strokeStyle: ink, lineWidth: PEN * side, lineCap: "round", lineJoin: "round"});
    for (const stroke of this.strokes) {
      context.beginPath();
      context.moveTo(stroke[0].x * side, stroke[0].y * side);
      for (const point of stroke) context.lineTo(point.x * side, point.y * side);
      context.stroke();
    }
  }

  #paintPicture(context, side) {
    const {picture} = this, scale = side / Math.max(picture.width, picture.height);
    const [width, height] = [picture.width * scale, picture.height * scale];
    context.imageSmoothingEnabled = scale < 4; // small images show their pixels
    context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
  }

  #paintCursor(context, side, style) {
    const {x, y} = this.cursor, radius = (PEN / 2) * side;
    context.lineWidth = Math.max(2, side / 150);
    context.strokeStyle = style.getPropertyValue("--accent").trim();
    context.beginPath();
    context.arc(x * side, y * side, radius, 0, 2 * Math.PI);
    for (const [dx, dy] of Object.values(KEYS)) {
      context.moveTo(x * side + dx * radius, y * side + dy * radius);
      context.lineTo(x * side + 2 * dx * radius, y * side + 2 * dy * radius);
    }
    context.stroke();
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (value) => Math.min(1, Math.max(0, value));
    return {x: share((event.clientX - box.left) / box.width), y: share((event.clientY - box.top) / box.height)};
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({focusVisible: false});
    this.canvas.setPointerCapture(event.pointerId);
    this.penDown = null;
    const stroke = [this.#place(event)];
    this.open.set(event.pointerId, stroke);
    this.strokes.push(stroke);
    this.#changed();
  }

  #extend(event) {
    const stroke = this.open.get(event.pointerId);
    if (!stroke) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) stroke.push(this.#place(each));
    this.#changed();
  }

  #key(event) {
    if (event.altKey || event.metaKey) return;
    if (event.ctrlKey ? event.key === "z" : event.key === "Backspace") this.undo();
    else if (event.ctrlKey) return;
    else if (event.key in KEYS) this.#move(KEYS[event.key], event.shiftKey ? 4 : 1);
    else if (event.key === " ") this.#toggle();
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
  }

  #move([dx, dy], steps) {
    const share = (value) => Math.min(1 - STEP, Math.max(STEP, value));
    this.cursor = {x: share(this.cursor.x + dx * steps * STEP), y: share(this.cursor.y + dy * steps * STEP)};
    if (!this.penDown) return this.draw();
    this.penDown.push(this.cursor);
    this.#changed();
  }

  #toggle() {
    this.penDown = this.penDown ? null : [this.cursor];
    if (this.penDown) this.strokes.push(this.penDown);
    this.onPen(Boolean(this.penDown), this.cursor);
    this.#changed();
  }

  #changed() {
    this.draw();
    this.onChange();
  }
}
