// Puts the parts of the page together.

import { Cameras } from "/cameras.js";
import { Chart, oneCamera, allCameras } from "/charts.js";
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

const charts = [new Chart(element("rate")), new Chart(element("latency"))];
const cameras = new Cameras(element("stage"), element("cameras"), chosen);
const shown = () => (cameras.current ? [cameras.current] : cameras.names);
const settings = new Settings(shown, (threshold) => shown().forEach((name) => cameras.preview(name, threshold)));

function chosen(name) {
  connection?.watch(cameras.wanted);
  for (const id of ["snapshot", "full", "save"]) element(id).hidden = !name;
  element("settings-title").textContent = name ? "Settings" : "Settings of all cameras";
  document.title = name && cameras.names.length > 1 ? `${name} – lightcam-edge` : "lightcam-edge";
  offerSnapshot();
  settings.show();
  drawCharts();
  tellState();
}

/** Speed of the camera that is shown, or of each of all. */
function drawCharts() {
  const kinds = cameras.current ? oneCamera : allCameras;
  const taken = cameras.current ? (samples[cameras.current] ?? []) : together(cameras.names);
  charts.forEach((chart, index) => chart.show(kinds[index], taken));
}

/** The samples of all cameras that were taken at the same moments. */
function together(names) {
  const [first] = names;
  return (samples[first] ?? []).map((sample, index) => ({
    time: sample.time,
    cameras: names.map((name) => [name, samples[name][index] ?? sample]),
  }));
}

function offerSnapshot() {
  const asked = new URLSearchParams({ camera: cameras.current ?? "" });
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
  drawCharts();
}

function addSamples(taken) {
  for (const [camera, sample] of Object.entries(taken)) {
    samples[camera] = [...(samples[camera] ?? []), sample].slice(-KEPT);
  }
  drawCharts();
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
  else showAll(cameras.names.filter((name) => states[name]?.state === "live").map((name) => cameras.found(name)).filter(Boolean));
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
