// The objects that came lately: those that are here, then those that were.

import { colourOf, percent } from "/picture.js";
import { duration } from "/now.js";

const SHOWN = 12;
const events = new Map();
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** Take events, the oldest first; a later one of the same object takes an earlier one's place. */
export function takeEvents(told, severalCameras) {
  for (const event of told) events.set(event.id, event);
  while (events.size > SHOWN) events.delete(events.keys().next().value);
  document.getElementById("no-events").hidden = events.size > 0;
  const items = [...events.values()].sort(later).map((event) => item(event, severalCameras));
  document.getElementById("events").replaceChildren(...items);
}

function later(one, other) {
  const gone = (event) => Number(event.kind === "end");
  return gone(one) - gone(other) || other.started - one.started;
}

function item(event, severalCameras) {
  const row = document.createElement("li");
  row.append(
    part("time", clock.format(1000 * event.started)),
    dot(event.class_index),
    part("name", severalCameras ? `${event.label}, ${event.camera}` : event.label),
    part("soft", `${percent(event.best_score)}, ${event.kind === "end" ? duration(event.time - event.started) : "here"}`),
  );
  return row;
}

function part(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}

function dot(index) {
  const span = part("dot", "");
  span.style.background = colourOf(index);
  return span;
}
