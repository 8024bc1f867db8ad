// Threshold and method of the camera that is shown; with all shown, of all.

const QUIET = 120; // ms of rest before a slider's value is sent
const OURS = 1500; // ms for which the visitor's own choice is not overwritten by an older message
const element = (id) => document.getElementById(id);

async function post(path, content) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  }).catch(() => null);
  if (answer?.ok) return null;
  return (await answer?.json().catch(() => null))?.error ?? "the stream does not answer";
}

export class Settings {
  #timer = 0;
  #touched = -Infinity;
  #settings = { cameras: {}, methods: [] };

  /**
   * @param {() => string[]} cameras tells which cameras are set
   * @param {(threshold: number | null) => void} previewed shows a threshold before the stream takes it
   */
  constructor(cameras, previewed) {
    Object.assign(this, { cameras, previewed });
    const slider = element("threshold");
    slider.addEventListener("input", () => this.#slid(slider.valueAsNumber));
    for (const radio of document.querySelectorAll("[name=method]")) {
      radio.addEventListener("change", () => this.#adjust({ method: radio.value }));
    }
    element("save").addEventListener("click", () => this.#save());
  }

  take(settings) {
    this.#settings = settings;
    this.show();
  }

  /** Show the stream's values, unless the visitor is just choosing others. */
  show() {
    const [camera] = this.cameras();
    const settings = this.#settings.cameras[camera];
    if (!settings || performance.now() - this.#touched < OURS) return;
    element("threshold").value = settings.threshold;
    this.#label(...this.cameras().map((name) => this.#settings.cameras[name].threshold));
    this.previewed(null);
    for (const radio of document.querySelectorAll("[name=method]")) {
      radio.checked = radio.value === settings.method;
      radio.disabled = !this.#settings.methods.includes(radio.value);
    }
  }

  /** Show a threshold, or from the lowest to the highest where the cameras' differ. */
  #label(...thresholds) {
    const shown = [Math.min(...thresholds), Math.max(...thresholds)].map((value) => Math.round(100 * value));
    element("threshold-value").textContent = `${[...new Set(shown)].join("–")}%`;
  }

  #slid(threshold) {
    this.#touched = performance.now();
    this.#label(threshold);
    this.previewed(threshold);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#adjust({ threshold }), QUIET);
  }

  async #adjust(change) {
    this.#touched = performance.now();
    await this.#each("/api/settings", change);
  }

  async #save() {
    element("save").disabled = true;
    if (await this.#each("/api/card", {})) element("saved").textContent = "Saved in the model’s card.";
    element("save").disabled = false;
  }

  async #each(path, content) {
    element("saved").textContent = "";
    for (const camera of this.cameras()) {
      const error = await post(path, { camera, ...content });
      if (error) {
        element("saved").textContent = `${error}.`;
        return false;
      }
    }
    return true;
  }
}
