// Colours of figures, in both themes, distinguishable for the colour-blind too.

const root = document.documentElement;
const themeListeners = [];

/** Return a colour of the style sheet. */
const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();

/** Call now and on every change of the theme. */
function onTheme(listener) {
  themeListeners.push(listener);
}

function setDark(dark) {
  root.classList.toggle("dark", dark);
  ramps.clear();
  themeListeners.forEach((listener) => listener());
}

const ramps = new Map();
const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));

function mixed(colours, share) {
  const place = clamp(share, 0, 1) * (colours.length - 1);
  const low = Math.min(Math.floor(place), colours.length - 2);
  const [a, b] = [colours[low], colours[low + 1]];
  return a.map((value, index) => Math.round(value + (b[index] - value) * (place - low)));
}

function ramp(name, hexes) {
  if (!ramps.has(name)) ramps.set(name, hexes().map(channels));
  return ramps.get(name);
}

/** Return the colour of a share from 0 to 1, as [r, g, b]. */
const sequential = (share) => mixed(ramp("sequential", () => css("--ramp").split(/\s+/)), share);

/** Return the colour of a value from -1 to 1, as [r, g, b]. */
const diverging = (value) =>
  mixed(ramp("diverging", () => ["--below", "--zero", "--above"].map(css)), (value + 1) / 2);

const rgb = (colour) => `rgb(${colour.join(" ")})`;

/** Return black or white, whichever is readable on a colour. */
const inkOn = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#14171c" : "#ffffff");

const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "ring"];
const category = (index) => css(`--c${(index % 6) + 1}`);

/** Trace a marker on a canvas; fill or stroke as its shape wants. */
function marker(context, index, x, y, size, colour) {
  const shape = SHAPES[index % SHAPES.length];
  context.beginPath();
  if (shape === "circle" || shape === "ring") context.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape === "square") context.rect(x - 0.9 * size, y - 0.9 * size, 1.8 * size, 1.8 * size);
  else if (shape === "triangle") polygon(context, [[x, y - 1.2 * size], [x + 1.1 * size, y + 0.8 * size], [x - 1.1 * size, y + 0.8 * size]]);
  else if (shape === "diamond") polygon(context, [[x, y - 1.3 * size], [x + 1.3 * size, y], [x, y + 1.3 * size], [x - 1.3 * size, y]]);
  else {
    context.moveTo(x - size, y - size); context.lineTo(x + size, y + size);
    context.moveTo(x + size, y - size); context.lineTo(x - size, y + size);
  }
  context.lineWidth = 2;
  context.strokeStyle = context.fillStyle = colour;
  if (shape === "cross" || shape === "ring") context.stroke();
  else context.fill();
}

function polygon(context, points) {
  points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
}

const LARGEST_CANVAS = 16e6;

/** Return a canvas of `width` x `height` in the page's units, sharp on every screen. */
function sharp(canvas, width, height) {
  const ratio = Math.min(Math.max(1, devicePixelRatio || 1), Math.sqrt(LARGEST_CANVAS / (width * height)));
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = "11px system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif";
  return context;
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;
try {
  chosenTheme = sessionStorage.getItem("theme");
} catch {
  // A page opened from a file may have no storage; its theme then follows the system.
}
setDark(chosenTheme ? chosenTheme === "dark" : prefersDark.matches);
prefersDark.addEventListener("change", () => chosenTheme || setDark(prefersDark.matches));
document.getElementById("theme").addEventListener("click", () => {
  chosenTheme = root.classList.contains("dark") ? "light" : "dark";
  try {
    sessionStorage.setItem("theme", chosenTheme);
  } catch {
    // It then holds until the page is closed.
  }
  setDark(chosenTheme === "dark");
});

let darkBeforePrint = false;
onPrint(() => {
  darkBeforePrint = root.classList.contains("dark");
  setDark(false);
}, () => setDark(darkBeforePrint));
