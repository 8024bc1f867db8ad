// Which cameras are looked at: one large, or all as tiles.

import { Picture, percent } from "/picture.js";

const ALL = "";
const WORDS = { starting: "Starting", frozen: "Frozen", lost: "No picture", ended: "Ended" };

export class Cameras {
  #views = new Map();

  /**
   * @param {HTMLElement} stage holds the pictures
   * @param {HTMLElement} nav holds a button a camera
   * @param {(camera: string) => void} chosen is told which camera is shown, "" for all
   */
  constructor(stage, nav, chosen) {
    Object.assign(this, { stage, nav, chosen, names: [], current: null, connected: true, states: {} });
    addEventListener("hashchange", () => this.choose(this.#fromAddress(), false));
  }

  /** Take the cameras' names; the same ones again change nothing. */
  take(names) {
    if (JSON.stringify(names) === JSON.stringify(this.names)) return;
    this.names = names;
    this.nav.hidden = names.length < 2;
    this.nav.replaceChildren(...(names.length < 2 ? [] : [ALL, ...names]).map((name) => this.#button(name)));
    this.choose(this.#fromAddress(), false);
  }

  #fromAddress() {
    const asked = decodeURIComponent(location.hash.slice(1));
    if (this.names.includes(asked)) return asked;
    return this.names.length === 1 ? this.names[0] : ALL;
  }

  #button(name) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name || "All";
    button.dataset.camera = name;
    button.addEventListener("click", () => this.choose(name));
    return button;
  }

  choose(name, remembered = true) {
    if (remembered) history.replaceState(null, "", name ? `#${encodeURIComponent(name)}` : "#");
    this.current = name;
    for (const button of this.nav.children) {
      button.setAttribute("aria-pressed", button.dataset.camera === name);
    }
    this.#lay(name === ALL ? this.names : [name]);
    this.chosen(name);
  }

  /** The cameras shown, as the stream wants them named. */
  get wanted() {
    const kind = this.#views.size > 1 ? "tile" : "full";
    return Object.fromEntries([...this.#views.keys()].map((name) => [name, kind]));
  }

  #lay(names) {
    for (const view of this.#views.values()) view.picture.close();
    this.#views = new Map(names.map((name) => [name, this.#view(name, names.length > 1)]));
    this.stage.classList.toggle("tiles", names.length > 1);
    this.stage.replaceChildren(...[...this.#views.values()].map((view) => view.figure));
    this.showStates(this.states);
  }

  #view(name, isTile) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const veil = document.createElement("div");
    const caption = document.createElement("figcaption");
    figure.className = "picture";
    figure.dataset.camera = name;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Picture of ${name}`);
    veil.className = "veil";
    veil.append(document.createElement("strong"), document.createElement("span"));
    figure.append(canvas, veil);
    if (isTile) {
      const open = document.createElement("button");
      open.type = "button";
      open.textContent = name;
      open.setAttribute("aria-label", `Show ${name} alone`);
      open.addEventListener("click", () => this.choose(name));
      caption.append(open, document.createElement("span"));
      figure.append(caption);
      canvas.addEventListener("click", () => this.choose(name));
    }
    return { figure, picture: new Picture(canvas), veil, told: caption.lastChild };
  }

  /** Draw a camera's message. */
  async show(message) {
    const view = this.#views.get(message.found.camera);
    if (!view || !(await view.picture.show(message))) return false;
    view.figure.classList.add("seen");
    if (view.told) {
      const [first] = message.found.objects;
      view.told.textContent = first ? `${first.label} ${percent(first.score)}` : "nothing";
    }
    return true;
  }

  /** What was found last in the camera that is shown large. */
  found(name) {
    return this.#views.get(name)?.picture.found ?? null;
  }

  /** Let the line around what counts follow the slider at once. */
  preview(name, threshold) {
    const picture = this.#views.get(name)?.picture;
    if (!picture) return;
    picture.threshold = threshold;
    picture.draw();
  }

  redraw() {
    for (const view of this.#views.values()) view.picture.draw();
  }

  /** Lay a veil over pictures that are not live. */
  showStates(states, connected = this.connected) {
    this.states = states;
    this.connected = connected;
    for (const [name, view] of this.#views) {
      const { state = "starting", reason = "" } = states[name] ?? {};
      const word = connected ? WORDS[state] : "Not connected";
      view.figure.classList.toggle("veiled", Boolean(word));
      const [strong, span] = view.veil.children;
      strong.textContent = word ?? "";
      span.textContent = connected ? reason : "The page tries again.";
    }
  }
}
