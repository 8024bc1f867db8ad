// The WebSocket to the stream: open while the page is looked at, and again when it breaks.

const FIRST_WAIT = 500; // ms
const LONGEST_WAIT = 8000; // ms
const text = new TextDecoder();

/** Take a binary message apart: what was found, the map's bytes, and the JPEG. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const found = JSON.parse(text.decode(new Uint8Array(buffer, 4, length)));
  const [rows, columns] = found.map.hw;
  const levels = new Uint8Array(buffer, 4 + length, rows * columns);
  const jpeg = new Blob([new Uint8Array(buffer, 4 + length + levels.length)], { type: "image/jpeg" });
  return { found, levels, jpeg };
}

/**
 * @param {(message: object) => void} told takes the JSON messages
 * @param {(picture: object) => Promise<void>} pictured draws a picture, and resolves once it is seen
 * @param {(connected: boolean) => void} changed is told when the connection comes or goes
 */
export class Connection {
  #socket = null;
  #wanted = {};
  #wait = FIRST_WAIT;
  #timer = 0;

  constructor(told, pictured, changed) {
    Object.assign(this, { told, pictured, changed });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#leave() : this.#open()));
    addEventListener("pagehide", () => this.#leave());
    addEventListener("pageshow", () => this.#open());
    this.#open();
  }

  /** Ask for these cameras: name to "full" or "tile". */
  watch(cameras) {
    this.#wanted = cameras;
    this.#send({ watch: cameras });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #open() {
    clearTimeout(this.#timer);
    if (this.#socket || document.hidden) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/live`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#take(socket, event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
    this.#socket = socket;
  }

  async #take(socket, data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      this.told(message);
      if (message.hello) this.#welcome();
      return;
    }
    const picture = unpack(data);
    await this.pictured(picture).catch(() => {});
    if (socket === this.#socket) this.#send({ drawn: picture.found.camera });
  }

  #welcome() {
    this.#wait = FIRST_WAIT;
    this.changed(true);
    this.#send({ watch: this.#wanted });
  }

  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#timer);
    socket?.close();
  }

  async #lost() {
    this.#socket = null;
    this.changed(false);
    this.#timer = setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    const answer = await fetch("/api/login", { cache: "no-store" }).catch(() => null);
    const visitor = await answer?.json().catch(() => null);
    if (visitor && !visitor.known) location.replace("/login");
  }
}
