// Puts the parts of the page together.

import { Cameras } from "/cameras.js";
import { latencyChart, rateChart } from "/charts.js";
import { Connection } from "/connection.js";
import { takeEvents } from "/events.js";
import { showAll, showFound, showNone, showState } from "/now.js";
import { display, palette } from "/picture.js";
import { Settings } from "/settings.js";

const KEPT = 120; // samples
const element = (id) => document.getElementById(id);
const samples = {};
let states = {};
let connected = false;
let connection = null;

const charts = [rateChart(element("rate")), latencyChart(element("latency"))];
const cameras = new Cameras(element("stage"), element("cameras"), chosen);
const shown = () => (cameras.current ? [cameras.current] : cameras.names);
const settings = new Settings(shown, (threshold) => shown().forEach((name) => cameras.preview(name, threshold)));

function chosen(name) {
  connection?.watch(cameras.wanted);
  const camera = name || cameras.names[0];
  element("snapshot").hidden = !name;
  element("full").hidden = !name;
  document.title = name && cameras.names.length > 1 ? `${name} – lightcam-edge` : "lightcam-edge";
  offerSnapshot();
  settings.show();
  for (const chart of charts) chart.show(samples[camera] ?? []);
  tellState();
}

function offerSnapshot() {
  const asked = new URLSearchParams({ camera: cameras.current || cameras.names[0] || "" });
  asked.set("boxes", display.boxes ? "1" : "0");
  asked.set("heat", display.heat ? "1" : "0");
  element("snapshot").href = `/api/snapshot?${asked}`;
}

function take(message) {
  if (message.hello) greet(message.hello);
  if (message.states) states = message.states;
  if (message.samples) addSamples(message.samples);
  if (message.settings) settings.take(message.settings);
  if (message.event) takeEvents([message.event], cameras.names.length > 1);
  tellState();
}

function greet(hello) {
  palette.classes = hello.colours;
  palette.heat = Uint8Array.from(hello.heat.match(/../g), (pair) => parseInt(pair, 16));
  element("model").textContent = hello.model;
  Object.assign(samples, hello.history);
  cameras.take(hello.cameras);
  takeEvents(hello.events, hello.cameras.length > 1);
  for (const chart of charts) chart.show(samples[shown()[0]] ?? []);
}

function addSamples(taken) {
  for (const [camera, sample] of Object.entries(taken)) {
    samples[camera] = [...(samples[camera] ?? []), sample].slice(-KEPT);
  }
  for (const chart of charts) chart.show(samples[shown()[0]] ?? []);
}

function tellState() {
  const names = shown();
  const told = Object.fromEntries(names.filter((name) => states[name]).map((name) => [name, states[name]]));
  const last = names.map((name) => samples[name]?.at(-1)).filter(Boolean);
  cameras.showStates(states, connected);
  showState(told, last, connected);
  const { state, reason } = (names.length === 1 && states[names[0]]) || {};
  if (!connected) showNone("No connection", "The page tries again.");
  else if (state === "lost" || state === "frozen") showNone("No live picture", reason);
}

async function pictured(message) {
  if (!(await cameras.show(message))) return;
  if (states[message.found.camera]?.state !== "live") return;
  if (cameras.current) showFound(message.found);
  else showAll(cameras.names.map((name) => cameras.found(name)).filter(Boolean));
}

function change(connectedNow) {
  connected = connectedNow;
  tellState();
}

function bindDisplay() {
  const kept = JSON.parse(localStorage.getItem("display") ?? "{}");
  Object.assign(display, kept);
  element("boxes").checked = display.boxes;
  element("heat").checked = display.heat;
  element("blend").value = 100 * display.blend;
  for (const id of ["boxes", "heat", "blend"]) element(id).addEventListener("input", displayed);
  element("blend").disabled = !display.heat;
}

function displayed() {
  display.boxes = element("boxes").checked;
  display.heat = element("heat").checked;
  display.blend = element("blend").valueAsNumber / 100;
  element("blend").disabled = !display.heat;
  localStorage.setItem("display", JSON.stringify(display));
  offerSnapshot();
  cameras.redraw();
}

element("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else element("stage").requestFullscreen();
});
bindDisplay();
connection = new Connection(take, pictured, change);
