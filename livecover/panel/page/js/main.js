// The panel: passes the server's messages to the roll, the meters and the controls, and the user's
// changes to the server.

import { announce, toast } from "./announce.js";
import { BeatView, barOf } from "./beat.js";
import { pageNow } from "./clock.js";
import { Connection } from "./connection.js";
import { bindControls, offer } from "./controls.js";
import { bindCurve } from "./curve-view.js";
import { Harmony } from "./harmony.js";
import { keep, recall } from "./kept.js";
import { bindLearn } from "./learn.js";
import { Measure } from "./measure.js";
import { Meters } from "./meters.js";
import { NoteStore } from "./notes.js";
import { showLog } from "./log.js";
import { Pace } from "./pace.js";
import { bindPad, fillChoices } from "./pad.js";
import { readPalette } from "./palette.js";
import { showPorts } from "./ports.js";
import { bindQuit } from "./quit.js";
import { Roll } from "./roll.js";
import { bindSave } from "./save.js";
import { bindScenes } from "./scenes.js";
import { Settings } from "./settings.js";
import { bindShortcuts } from "./shortcuts.js";
import { bindSnapshots } from "./snapshots.js";
import { bindSong } from "./song.js";
import { bindSound, showCalibrated, showMeasuring } from "./sound.js";
import { StateView } from "./state.js";
import { bindStyleFile } from "./style-file.js";
import { bindTablet } from "./tablet.js";
import { bindTabs } from "./tabs.js";
import { bindTakes } from "./takes.js";
import { bindTheme } from "./theme.js";

const $ = (id) => document.getElementById(id);

const address = new URL("socket", location.href);
address.protocol = address.protocol.replace("http", "ws");
address.search = "";

const notes = new NoteStore();
const roll = new Roll($("roll"), notes);
const meters = new Meters();
const harmony = new Harmony(notes, roll.chords);
const measure = new URLSearchParams(location.search).get("measure") === "1" ? new Measure() : null;
let styleFileLimit = 256 * 1024;

const connection = new Connection(address, {
  onMessage: (message) => handlers[message.type]?.(message),
  onOpen: () => state.connect(),
  onLoss: (wait) => {
    notes.silence(Number.isFinite(serverNow()) ? serverNow() : Infinity);
    settings.refuse();
    state.lose(wait);
  },
});
const send = (message) => {
  if (message.type !== "change") settings.flush(); // a command is about what was chosen before it
  return connection.send(message) || (toast("No connection: nothing was changed", "error"), false);
};
const settings = new Settings((values) => send({ type: "change", values }));
const state = new StateView(settings, send);
const { learned, showLearning } = bindLearn(send);
const saving = bindSave(settings, send);
const showSnapshot = bindSnapshots(settings, send);
const showScenes = bindScenes(settings, send);
const takes = bindTakes(send);
const showSong = bindSong(send);
const showAddress = bindTablet(send);
let pageFiles = ""; // of the server that this page came from

const serverNow = () => (connection.clock.isKnown ? connection.clock.toServer(pageNow()) : NaN);
const beat = new BeatView(send, serverNow);

const handlers = {
  hello(message) {
    pageFiles ||= message.page;
    $("newer").hidden = message.page === pageFiles;
    notes.clear();
    roll.pedal.length = 0;
    roll.chroma.clear();
    harmony.clear();
    styleFileLimit = message.limits?.style_file ?? styleFileLimit;
    handlers.settings(message);
    handlers.choices(message);
    $("quit").hidden = message.quits !== true;
    for (const view of ["scenes", "takes"]) if (!$(`view-${view}`).hidden) connection.send({ type: "do", action: view });
    if (measure && message.measure) measure.report = (drawn) => connection.send({ type: "drawn", notes: drawn });
  },
  choices({ choices }) {
    offer(choices);
    fillChoices($("presets"), "model.style", choices.styles, settings);
    fillChoices($("curves"), "midi.velocity_curve", choices.curves, settings);
  },
  settings(message) {
    settings.receive(message.settings);
    showSnapshot(message.snapshot);
    saving.changed();
  },
  status(message) {
    meters.take(message, pageNow());
    roll.setLatency(message.latency);
    roll.bar = barOf(message.beat);
    beat.take(message.beat, message.song_delay);
    state.take(message);
    takes.take(message);
    showSong(message);
    showPorts(message);
    showMeasuring(message);
    showLearning(message);
  },
  notes(message) {
    roll.pedal.push(...message.pedal);
    for (const note of message.notes) {
      notes.take(note);
      roll.reveal(note[1]);
    }
  },
  chroma: ({ at, values }) => roll.addChroma(at, values),
  silence({ at }) {
    notes.silence(at);
    roll.pedal.length = 0;
  },
  lost: () => state.loseSource(),
  learn: learned,
  scenes: showScenes,
  takes: takes.show,
  log: showLog,
  address: showAddress,
  unsaved: saving.unsaved,
  saved({ path }) {
    saving.close();
    toast(`Saved to ${path}`);
    announce("Settings saved");
  },
  calibrated: showCalibrated,
  error({ text }) {
    settings.refuse();
    saving.close();
    toast(text, "error");
  },
};

bindControls(settings, () => send({ type: "do", action: "refresh" }));
bindPad(settings);
bindCurve(settings);
bindSound(settings);
bindStyleFile(send, () => styleFileLimit);
bindShortcuts(settings);
bindTabs((name) => ["scenes", "takes"].includes(name) && connection.send({ type: "do", action: name }));
$("newer-load").addEventListener("click", () => location.reload());
bindQuit(send, () => state.quit());
bindTheme(() => roll.paintWith(readPalette()));
document.fonts.ready.then(() => roll.resize());

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const showStill = () => {
  roll.isCalm = calm.matches;
  roll.isStill = recall("still", calm.matches);
  $("still").setAttribute("aria-pressed", String(roll.isStill));
};
calm.addEventListener("change", showStill);
$("still").addEventListener("click", () => (keep("still", !roll.isStill), showStill()));
showStill();

addEventListener("click", (event) => {
  // A pressed button gives up the focus, so that the space bar starts and stops.
  if (event.detail > 0) event.target.closest("button, [type=radio], [type=checkbox]")?.blur();
});
addEventListener("change", ({ target }) => target.matches("select") && target.blur()); // so that keys play again
addEventListener("keydown", ({ key, target }) => key === "Enter" && target.matches("input[type=number]") && target.blur());

const REST = 0.25; // seconds from one picture to the next while nothing moves
const pace = new Pace();
let last = pageNow();
let drawn = 0;
function frame() {
  const page = pageNow();
  connection.clock.tick(page - last);
  if (pace.frame(page - last)) roll.coarsen();
  last = page;
  const now = serverNow();
  const isMoving = roll.isTimed || notes.first < notes.next;
  if (isMoving || page - drawn > REST) {
    roll.draw(now);
    drawn = page;
  }
  meters.draw(page);
  harmony.draw(now);
  roll.names = harmony.names;
  beat.draw(now);
  if (measure && now) measure.frame(notes, now, pageNow(), connection.clock);
  requestAnimationFrame(frame);
}

if (measure) window.livecoverMeasure = () => measure.list;
connection.open();
requestAnimationFrame(frame);
