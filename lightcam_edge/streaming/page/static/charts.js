// Moving charts of the last two minutes: lines, or areas on top of each other.

import { milliseconds } from "/now.js";

const SPAN = 120; // s
const HEIGHT = 112; // px
const [TOP, RIGHT, BOTTOM, LEFT] = [6, 4, 18, 30];
const COLOURS = 7; // as many as the style sheet has
const svg = (name, attributes = {}) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
};

/** The next of 1, 2, 5, 10, 20... above a number. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

export class Chart {
  #samples = [];
  #pointed = null;

  /** @param {HTMLElement} figure where the chart goes */
  constructor(figure) {
    Object.assign(this, { figure, kind: null });
    this.caption = document.createElement("figcaption");
    this.title = document.createElement("span");
    this.note = document.createElement("span");
    this.note.className = "soft";
    this.caption.append(this.title, this.note);
    this.drawing = svg("svg", { height: HEIGHT, role: "img" });
    this.legend = document.createElement("ul");
    figure.append(this.caption, this.drawing, this.legend);
    this.drawing.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.drawing.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(() => this.draw()).observe(figure);
  }

  /**
   * @param {object} kind title; unit(value); note(sample); stacked; series(sample), a list of [name, value]
   * @param {object[]} samples the oldest first
   */
  show(kind, samples) {
    this.kind = kind;
    this.#samples = samples;
    this.title.textContent = kind.title;
    this.draw();
  }

  #point(x) {
    this.#pointed = x;
    this.draw();
  }

  draw() {
    const width = this.drawing.clientWidth || this.figure.clientWidth;
    const samples = this.#samples;
    if (!width || !samples.length) return;
    const now = samples.at(-1).time;
    const names = this.kind.series(samples.at(-1)).map(([name]) => name);
    const columns = samples.map((sample) => ({ time: sample.time, values: this.#values(sample, names) }));
    const top = roundUp(Math.max(1e-3, ...columns.flatMap(({ values }) => values.map(([, high]) => high))));
    const x = (time) => LEFT + (width - LEFT - RIGHT) * (1 - (now - time) / SPAN);
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const shapes = names.map((name, index) => this.#shape(columns, index, x, y));
    const pointed = this.#nearest(columns, x);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.drawing.replaceChildren(...this.#frame(width, top, y), ...shapes, ...this.#mark(pointed, x));
    this.#tell(samples, pointed, now);
  }

  /** Low and high of each series in a sample. */
  #values(sample, names) {
    const given = Object.fromEntries(this.kind.series(sample));
    let below = 0;
    return names.map((name) => {
      const value = given[name] ?? 0;
      const low = this.kind.stacked ? below : 0;
      below += value;
      return [low, low + value];
    });
  }

  #shape(columns, index, x, y) {
    const highs = columns.map(({ time, values }) => `${x(time).toFixed(1)},${y(values[index][1]).toFixed(1)}`);
    if (!this.kind.stacked) return svg("polyline", { points: highs.join(" "), class: `line series-${index % COLOURS}` });
    const lows = columns.map(({ time, values }) => `${x(time).toFixed(1)},${y(values[index][0]).toFixed(1)}`);
    return svg("polygon", { points: [...highs, ...lows.reverse()].join(" "), class: `area series-${index % COLOURS}` });
  }

  #frame(width, top, y) {
    const nodes = [0, top / 2, top].flatMap((value) => {
      const text = svg("text", { x: LEFT - 6, y: y(value) + 3.5, "text-anchor": "end" });
      text.textContent = Number(value.toPrecision(2));
      return [svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "grid" }), text];
    });
    const times = [["2 min ago", LEFT, "start"], ["1 min", (LEFT + width - RIGHT) / 2, "middle"], ["now", width - RIGHT, "end"]];
    for (const [word, place, anchor] of times) {
      const text = svg("text", { x: place, y: HEIGHT - 4, "text-anchor": anchor });
      text.textContent = word;
      nodes.push(text);
    }
    return nodes;
  }

  #nearest(columns, x) {
    if (this.#pointed === null) return null;
    const distances = columns.map(({ time }) => Math.abs(x(time) - this.#pointed));
    return distances.indexOf(Math.min(...distances));
  }

  #mark(pointed, x) {
    if (pointed === null) return [];
    const place = x(this.#samples[pointed].time);
    return [svg("line", { x1: place, x2: place, y1: TOP, y2: HEIGHT - BOTTOM, class: "mark" })];
  }

  /** Name the series with their values now, or where the pointer is. */
  #tell(samples, pointed, now) {
    const sample = samples[pointed ?? samples.length - 1];
    const values = this.kind.series(sample).map(([name, value]) => [name, this.kind.unit(value)]);
    this.note.textContent = pointed === null ? this.kind.note(sample) : `${Math.round(now - sample.time)} s ago`;
    this.legend.replaceChildren(
      ...values.map(([name, value], index) => {
        const item = document.createElement("li");
        const key = document.createElement("span");
        key.className = `key series-${index % COLOURS}`;
        const number = document.createElement("b");
        number.textContent = value;
        item.append(key, `${name} `, number);
        return item;
      }),
    );
    const told = values.map(([name, value]) => `${name} ${value}`).join(", ");
    this.drawing.setAttribute("aria-label", `${this.kind.title}: ${told}`);
  }
}

const shown = (ms) => (ms === undefined ? "" : milliseconds(ms));
const rate = (value) => value.toFixed(1);

/** Charts of one camera. */
export const oneCamera = [
  {
    title: "Frames a second",
    stacked: false,
    unit: rate,
    note: () => "",
    series: (sample) => [["camera", sample.camera_fps], ["results", sample.process_fps]],
  },
  {
    title: "Latency",
    stacked: true,
    unit: milliseconds,
    note: (sample) => shown(sample.latency_ms.total),
    series: (sample) => Object.entries(sample.latency_ms).filter(([stage]) => stage !== "total"),
  },
];

/** Charts that compare all cameras. */
export const allCameras = [
  {
    title: "Results a second",
    stacked: false,
    unit: rate,
    note: (sample) => `${rate(sample.cameras.reduce((sum, [, own]) => sum + own.process_fps, 0))} together`,
    series: (sample) => sample.cameras.map(([name, own]) => [name, own.process_fps]),
  },
  {
    title: "Latency",
    stacked: false,
    unit: milliseconds,
    note: () => "",
    series: (sample) =>
      sample.cameras.map(([name, own]) => [name, own.latency_ms.total]).filter(([, ms]) => ms !== undefined),
  },
];
