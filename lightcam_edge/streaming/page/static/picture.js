// One camera's picture with what was found in it, drawn together so that they belong together.

import { outline, painted, sampled } from "/heat.js";

const FULL_RATIO = 2; // device pixels a CSS pixel at most: more is not seen in a video
const FAINT = 0.35; // of the heat where nothing was found, so that noise does not look like a find

/** What is drawn over all pictures; the page's controls change it. */
export const display = { boxes: true, heat: true, blend: 0.5 };

/** Colours of the classes and of the heat, as the stream's own pictures have them. */
export const palette = { classes: [], heat: new Uint8Array(768) };

export const colourOf = (index) => `rgb(${palette.classes[index] ?? [110, 110, 110]})`;
export const percent = (score) => (score === null ? "–" : `${Math.round(100 * score)}%`);

/** Black or white, whichever is read better on a colour (WCAG 2.2, relative luminance). */
function inkOn(index) {
  const linear = (palette.classes[index] ?? [110, 110, 110]).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

export class Picture {
  #context;
  #heat = document.createElement("canvas");
  #bitmap = null;
  #fine = null;
  #found = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.threshold = null; // what the slider says before the stream has taken it
    this.#context = canvas.getContext("2d");
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(canvas);
  }

  get found() {
    return this.#found;
  }

  /** Take a message and draw it with the browser's next frame. */
  async show({ found, levels, jpeg }) {
    const bitmap = await createImageBitmap(jpeg);
    if (this.#found && found.frame < this.#found.frame && found.time < this.#found.time) {
      bitmap.close();
      return false;
    }
    this.#bitmap?.close();
    this.#bitmap = bitmap;
    this.#found = found;
    this.#fine = sampled(levels, found.map.hw);
    await new Promise(requestAnimationFrame);
    this.draw();
    return true;
  }

  draw() {
    if (!this.#bitmap || !this.canvas.isConnected) return;
    this.#fit();
    const { width, height } = this.canvas;
    this.#context.drawImage(this.#bitmap, 0, 0, width, height);
    if (display.heat) this.#drawHeat();
    if (display.boxes) for (const object of [...this.#found.objects].reverse()) this.#drawBox(object);
    this.#tell();
  }

  /** Give the canvas the screen's own pixels. */
  #fit() {
    const [height, width] = this.#found.image_hw;
    this.canvas.parentElement.style.setProperty("--ratio", width / height);
    const ratio = Math.min(devicePixelRatio, FULL_RATIO);
    const wanted = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    if (this.canvas.width !== wanted) this.canvas.width = wanted;
    const high = Math.max(1, Math.round((wanted * height) / width));
    if (this.canvas.height !== high) this.canvas.height = high;
  }

  get #scale() {
    return this.canvas.width / this.#found.image_hw[1];
  }

  get #pixel() {
    return this.canvas.width / Math.max(1, this.canvas.clientWidth);
  }

  #drawHeat() {
    const strength = display.blend * (this.#found.objects.length ? 1 : FAINT);
    painted(this.#heat, this.#fine, palette.heat, strength);
    const [x, y, width, height] = this.#found.map.rect.map((length) => length * this.#scale);
    const context = this.#context;
    context.drawImage(this.#heat, x, y, width, height);
    if (!this.#found.objects.length) return;
    const place = new DOMMatrix([width / this.#fine.width, 0, 0, height / this.#fine.height, x, y]);
    const line = new Path2D();
    line.addPath(outline(this.#fine, this.threshold ?? this.#found.threshold), place);
    context.setLineDash([]);
    context.strokeStyle = "rgb(255 255 255 / 75%)";
    context.lineWidth = 1.2 * this.#pixel;
    context.stroke(line);
  }

  #drawBox(object) {
    const context = this.#context;
    const [x0, y0, x1, y1] = object.box.map((length) => length * this.#scale);
    const pixel = this.#pixel;
    const inset = 1.5 * pixel;
    const left = Math.max(x0, inset);
    const top = Math.max(y0, inset);
    const right = Math.min(x1, this.canvas.width - inset);
    const bottom = Math.min(y1, this.canvas.height - inset);
    for (const [colour, thick] of [["rgb(0 0 0 / 55%)", 4.5], [colourOf(object.class_index), 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick * pixel;
      context.beginPath();
      context.roundRect(left, top, Math.max(1, right - left), Math.max(1, bottom - top), 5 * pixel);
      context.stroke();
    }
    this.#drawLabel(object, left, top);
  }

  /** A plate above the box's corner, or inside where there is no room. */
  #drawLabel(object, left, top) {
    const context = this.#context;
    const pixel = this.#pixel;
    const size = (this.canvas.clientWidth < 420 ? 12 : 14) * pixel;
    const text = `${object.label} ${percent(object.score)}`;
    context.font = `600 ${size}px system-ui, sans-serif`;
    const room = this.canvas.width - 4 * pixel;
    const width = Math.min(context.measureText(text).width + 1.1 * size, room);
    const height = 1.7 * size;
    const x = Math.max(2 * pixel, Math.min(left - 1.2 * pixel, this.canvas.width - width - 2 * pixel));
    const y = top >= height + 4 * pixel ? top - height - 3 * pixel : top + 4 * pixel;
    context.fillStyle = colourOf(object.class_index);
    context.beginPath();
    context.roundRect(x, y, width, height, 5 * pixel);
    context.fill();
    context.fillStyle = inkOn(object.class_index);
    context.textBaseline = "middle";
    context.fillText(text, x + 0.55 * size, y + height / 2 + 0.05 * size, width - 1.1 * size);
  }

  /** Say in words what the canvas shows. */
  #tell() {
    const { objects, frame } = this.#found;
    this.canvas.dataset.frame = frame;
    this.canvas.dataset.boxes = JSON.stringify(objects.map((object) => object.box));
    const told = objects.map((object) => `${object.label} ${percent(object.score)}`).join(", ");
    const said = `Picture of ${this.#found.camera}: ${told || "nothing"}`;
    if (this.canvas.getAttribute("aria-label") !== said) this.canvas.setAttribute("aria-label", said);
  }

  close() {
    this.sizes.disconnect();
    this.#bitmap?.close();
  }
}
