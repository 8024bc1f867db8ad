// What is seen now, in words.

import { colourOf, percent } from "/picture.js";

const SPOKEN_EVERY = 4000; // ms: a reader must be able to finish
const STATES = { live: "live", starting: "starting", frozen: "frozen", lost: "lost", ended: "ended" };
const element = (id) => document.getElementById(id);

/** A length of time in the two units that matter. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export const milliseconds = (ms) => `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;

const put = (id, text) => {
  const place = element(id);
  if (place.textContent !== text) place.textContent = text;
};

let spokenAt = -Infinity;
let spoken = "";

function speak(text) {
  if (text === spoken || performance.now() - spokenAt < SPOKEN_EVERY) return;
  spoken = text;
  spokenAt = performance.now();
  put("spoken", text);
}

function showMain({ label, score, index, detail }) {
  const hasColour = index !== null;
  put("label", label);
  put("score", score === null ? "" : percent(score));
  element("dot").hidden = !hasColour;
  element("level").style.width = `${100 * (hasColour && score ? score : 0)}%`;
  if (hasColour) {
    element("dot").style.background = colourOf(index);
    element("level").style.background = colourOf(index);
  }
  element("label").classList.toggle("faint", !hasColour);
  put("detail", detail);
}

function showOthers(objects) {
  const list = element("others");
  list.hidden = !objects.length;
  list.replaceChildren(
    ...objects.map((object) => {
      const item = document.createElement("li");
      const dot = document.createElement("span");
      dot.className = "dot";
      dot.style.background = colourOf(object.class_index);
      item.append(dot, `${object.label} ${percent(object.score)}`);
      return item;
    }),
  );
}

/** Show what one picture holds. */
export function showFound(found) {
  const [first, ...others] = found.objects;
  if (first) {
    const detail = `for ${duration(found.time - first.since)}`;
    showMain({ label: first.label, score: first.score, index: first.class_index, detail });
  } else {
    const detail = `${found.label} ${percent(found.score)}`;
    showMain({ label: "Nothing", score: null, index: null, detail });
  }
  showOthers(others);
  speak(first ? `${first.label} in the picture` : "nothing in the picture");
}

/** Show what several cameras hold, one line each. */
export function showAll(founds) {
  const seen = founds.filter((found) => found.objects.length);
  const [first] = [...seen].sort((a, b) => b.objects[0].score - a.objects[0].score);
  if (!first) {
    showMain({ label: "Nothing", score: null, index: null, detail: `on ${founds.length} cameras` });
  } else {
    const [object] = first.objects;
    const detail = `${first.camera}, for ${duration(first.time - object.since)}`;
    showMain({ label: object.label, score: object.score, index: object.class_index, detail });
  }
  const others = seen.filter((found) => found !== first);
  showOthers(others.map((found) => ({ ...found.objects[0], label: `${found.camera}: ${found.objects[0].label}` })));
  speak(first ? `${first.objects[0].label} on ${first.camera}` : "nothing on any camera");
}

/** Show that there is no picture to tell of. */
export function showNone(label, detail) {
  showMain({ label, score: null, index: null, detail: detail || "\u00a0" });
  showOthers([]);
  speak(label);
}

/** The line about the cameras themselves. */
export function showState(states, samples, connected) {
  const all = Object.values(states);
  const worst = all.find(({ state }) => state !== "live")?.state ?? "live";
  element("state-dot").dataset.state = connected ? worst : "lost";
  if (!connected) {
    put("state", "not connected");
    return;
  }
  const live = all.filter(({ state }) => state === "live").length;
  const word = all.length > 1 ? `${live} of ${all.length} live` : STATES[worst];
  const [only] = samples.length === 1 ? samples : [];
  const rate = only ? `${only.process_fps.toFixed(1)} results/s` : "";
  const age = only?.age_ms.p50 === undefined ? "" : `${milliseconds(only.age_ms.p50)} old`;
  put("state", [word, rate, age].filter(Boolean).join("  ·  "));
}
