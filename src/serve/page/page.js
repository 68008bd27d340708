"use strict";

const kSentSide = 112;          // pixels of the drawing that is sent
const kStrokeShare = 0.075;     // of the pad's side
const kRetryMilliseconds = 300; // after a busy or a missing server

const element = (id) => document.getElementById(id);
const pad = element("pad");
const sent = Object.assign(document.createElement("canvas"), {width: kSentSide, height: kSentSide});

let strokes = [];    // each a list of points [x, y] in [0, 1]
let current = null;  // the stroke under the pointer
let pointer = null;  // its id
let model = null;    // what GET /schema says
let bars = [];
let asking = false;  // a request is under way
let changed = false; // since the last request

// --- The drawing ---

function draw(canvas, ink, paper) {
  const side = canvas.width;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, side, side);
  if (paper) {
    context.fillStyle = paper;
    context.fillRect(0, 0, side, side);
  }
  context.strokeStyle = ink;
  context.lineWidth = side * kStrokeShare;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    context.beginPath();
    context.moveTo(points[0][0] * side, points[0][1] * side);
    // Curves through the middles of the segments: no corners between samples.
    for (let i = 1; i < points.length - 1; ++i) {
      const [x, y] = points[i], [nextX, nextY] = points[i + 1];
      context.quadraticCurveTo(x * side, y * side, (x + nextX) / 2 * side, (y + nextY) / 2 * side);
    }
    const [lastX, lastY] = points[points.length - 1];
    // A line without length would leave no dot.
    context.lineTo(lastX * side + (points.length === 1 ? 0.1 : 0), lastY * side);
    context.stroke();
  }
}

function show() {
  const side = Math.round(pad.clientWidth * devicePixelRatio);
  if (pad.width !== side) pad.width = pad.height = side;
  draw(pad, getComputedStyle(pad).color, null);
  document.body.classList.toggle("drawn", strokes.length > 0);
  element("undo").disabled = element("clear").disabled = strokes.length === 0;
}

function change() {
  changed = true;
  requestAnimationFrame(show);
  ask();
}

function addPoints(event) {
  const box = pad.getBoundingClientRect();
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const each of events.length ? events : [event]) {
    current.push([(each.clientX - box.left) / box.width, (each.clientY - box.top) / box.height]);
  }
}

pad.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  event.preventDefault();
  pad.setPointerCapture(event.pointerId);
  pointer = event.pointerId;
  current = [];
  addPoints(event);
  strokes.push(current);
  change();
});
pad.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  addPoints(event);
  change();
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
  pad.addEventListener(end, (event) => {
    if (event.pointerId === pointer) pointer = current = null;
  });
}

function undo() {
  if (pointer !== null || strokes.length === 0) return;
  strokes.pop();
  change();
}
function clear() {
  pointer = current = null;
  strokes = [];
  change();
}
element("undo").addEventListener("click", undo);
element("clear").addEventListener("click", clear);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" || event.key === "Delete") clear();
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
});
addEventListener("resize", show);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

// --- The prediction ---

// One request at a time; when its answer is there, the drawing as it is by then.
async function ask() {
  if (asking || !model) return;
  asking = true;
  while (changed) {
    changed = false;
    if (strokes.length === 0) {
      showPrediction(null);
      continue;
    }
    draw(sent, "#000", "#fff");
    const png = sent.toDataURL("image/png").split(",")[1];
    try {
      const response = await fetch("/predict", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({png: [png]}),
      });
      const answer = await response.json();
      if (response.status === 503) {
        await retry("The server is busy …");
      } else if (!response.ok) {
        say(answer.error);
      } else {
        say("");
        if (strokes.length > 0) showPrediction(answer.predictions[0]);
      }
    } catch {
      await retry("No answer from the server. Is it still running?");
    }
  }
  asking = false;
}

function retry(text) {
  say(text);
  changed = true;
  return new Promise((resolve) => setTimeout(resolve, kRetryMilliseconds));
}

function say(text) {
  element("status").textContent = text;
}

const percent = (p) => (p >= 0.9995 ? "100" : (100 * p).toFixed(1)) + "%";

function showPrediction(prediction) {
  const best = element("best");
  best.textContent = prediction ? prediction.name : "–";
  best.classList.toggle("word", best.textContent.length > 2);
  element("share").textContent = prediction ? percent(prediction.probabilities[prediction.class]) : "";
  bars.forEach(({row, bar, number}, index) => {
    const p = prediction ? prediction.probabilities[index] : 0;
    bar.style.setProperty("--p", p);
    number.textContent = prediction ? percent(p) : "";
    row.classList.toggle("best-class", prediction !== null && prediction.class === index);
  });
  showSeen(prediction ? prediction.seen : null);
}

function showSeen(pixels) {
  const {height, width, channels} = model.image;
  const context = element("seen").getContext("2d");
  context.clearRect(0, 0, width, height);
  if (!pixels) return;
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; ++i) {
    for (let c = 0; c < 3; ++c) {
      image.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function addBar(name) {
  const row = document.createElement("li");
  const [label, track, number] = ["name", "track", "percent"].map((kind) => {
    const part = row.appendChild(document.createElement("span"));
    part.className = kind;
    return part;
  });
  label.textContent = name;
  const bar = track.appendChild(document.createElement("span"));
  bar.className = "bar";
  element("bars").appendChild(row);
  return {row, bar, number};
}

async function start() {
  show();
  while (!model) {
    try {
      model = await (await fetch("/schema")).json();
    } catch {
      await retry("No answer from the server. Is it still running?");
    }
  }
  say("");
  const digits = model.classes.every((name) => /^\d$/.test(name));
  element("prompt").textContent = digits ? "Draw a digit" : "Draw here";
  element("model").textContent = model.model;
  element("seen").width = model.image.width;
  element("seen").height = model.image.height;
  bars = model.classes.map(addBar);
  ask();
}

start();
