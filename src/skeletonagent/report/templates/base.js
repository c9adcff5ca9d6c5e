// What all parts rely on: the data, elements made of text alone, numbers and hints.
"use strict";

const report = JSON.parse(document.getElementById("data").textContent);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;

const ARRAYS = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint32: Uint32Array };

/** Return the numbers of a packed array, with `shape` and `at(i, j, ...)`. */
function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.bytes), (character) => character.charCodeAt(0));
  const values = new ARRAYS[packed.type](bytes.buffer);
  const { shape, scale = 1 } = packed;
  const at = (...place) =>
    scale * values[place.reduce((row, index, axis) => row * shape[axis] + index, 0)];
  return { values, shape, scale, at };
}

/** Return what was compressed. */
async function inflate({ gzip }) {
  const bytes = Uint8Array.from(atob(gzip), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  // Strings become text nodes, so nothing in the data can be taken for markup.
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** Return an HTML element. */
function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

const percent = (share, digits = 1) => (share === null ? "–" : `${(100 * share).toFixed(digits)}%`);
const signed = (value, digits = 1) => (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(digits);
const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const className = (label) => (typeof label === "number" ? report.classes[label] : label);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Return a labelled select; `options` are [value, text] pairs. */
function select(id, label, options, onChange) {
  const control = html("select", { id, on: { change: () => onChange(control.value) } },
    options.map(([value, text]) => html("option", { value }, text)));
  return { control, field: html("label", {}, label, control) };
}

/** Return a labelled check box. */
function checkbox(id, label, checked, onChange) {
  const control = html("input", { id, type: "checkbox", checked, on: { change: () => onChange(control.checked) } });
  return { control, field: html("label", { class: "line" }, control, label) };
}

/** Return a labelled slider over 0 .. last. */
function slider(id, label, last, value, onInput) {
  const control = html("input", { id, type: "range", min: 0, max: last, step: 1, value, on: { input: () => onInput(Number(control.value)) } });
  return { control, field: html("label", { class: "grow" }, label, control) };
}

const classOptions = (first) => [["", first], ...report.classes
  .map((name, label) => [String(label), name])
  .sort((a, b) => a[1].localeCompare(b[1]))];

const printListeners = [];

/** Call before the page is printed and after it. */
function onPrint(before, after) {
  printListeners.push([before, after]);
}

// What is folded is open on paper.
let folded = [];
addEventListener("beforeprint", () => {
  printListeners.forEach(([before]) => before());
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => {
  folded.forEach((details) => { details.open = false; });
  printListeners.forEach(([, after]) => after());
});

const hint = document.getElementById("tip");

/** Show a hint beside the pointer or an element; without text hide it. */
function tell(text, place) {
  hint.hidden = !text;
  if (!text) return;
  hint.textContent = text;
  const box = hint.getBoundingClientRect();
  const left = place.clientX + 14 + box.width > innerWidth ? place.clientX - box.width - 14 : place.clientX + 14;
  hint.style.left = `${clamp(left, 6, innerWidth - box.width - 6)}px`;
  hint.style.top = `${clamp(place.clientY + 14, 6, innerHeight - box.height - 6)}px`;
}

/** Say something to those who hear the page. */
function say(text) {
  document.getElementById("spoken").textContent = text;
}

/** Draw now and whenever the width of a place changes; `draw` gets the width. */
function responsive(place, draw) {
  let width = 0;
  const redraw = () => {
    const now = Math.floor(place.clientWidth);
    if (now && now !== width) draw((width = now));
  };
  new ResizeObserver(redraw).observe(place);
  redraw();
}

/** Show a section, as a click on its link would. */
function goTo(name) {
  document.getElementById(name).scrollIntoView();
}

/** Return the skeleton as an SVG; `marks` tells the class of each joint that stands out. */
function skeleton(marks, description, links = []) {
  const { positions, bones, names } = report.layout;
  const points = positions.map(([x, y]) => [100 * x, -100 * y]);
  const xs = points.map((point) => point[0]), ys = points.map((point) => point[1]);
  const [left, top] = [Math.min(...xs) - 16, Math.min(...ys) - 16];
  const path = bones.map(([a, b]) => `M${points[a].join(" ")}L${points[b].join(" ")}`).join("");
  return svg("svg", {
    class: "skeleton", role: "img", "aria-label": description,
    viewBox: `${left} ${top} ${Math.max(...xs) + 16 - left} ${Math.max(...ys) + 16 - top}`,
  },
  svg("path", { d: path, fill: "none", stroke: "var(--body)", "stroke-width": 11, "stroke-linecap": "round" }),
  svg("path", { d: path, fill: "none", stroke: "var(--bone)", "stroke-width": 1.6, "stroke-linecap": "round" }),
  links.map(({ from, to, colour, width }) => svg("path", {
    d: arc(points[from], points[to]), fill: "none", stroke: colour, "stroke-width": width, "stroke-linecap": "round", opacity: .85,
  })),
  points.map(([x, y], joint) => svg("g", {},
    svg("title", {}, `${joint + 1} ${names[joint]}${marks[joint] ? `, ${marks[joint]}` : ""}`),
    svg("circle", { cx: x, cy: y, r: 7, fill: "transparent" }),
    marks[joint] === "removed"
      ? svg("circle", { cx: x, cy: y, r: 4.4, fill: "var(--card)", stroke: "var(--dim)", "stroke-width": 1.4, "stroke-dasharray": "2 1.6" })
      : svg("circle", { cx: x, cy: y, r: marks[joint] ? 4 : 2.3, fill: marks[joint] ? "var(--salient)" : "var(--bone)" }),
    RINGS[marks[joint]]?.map((r) => svg("circle", { class: "ring", cx: x, cy: y, r, fill: "none", stroke: "var(--salient)", "stroke-width": 1.4 })))));
}

/** Radii of the rings of joints that the agents chose; new ones have two. */
const RINGS = { kept: [7.2], seen: [7.2], added: [7.2, 10.4] };

function arc([x0, y0], [x1, y1]) {
  const bend = 0.22;
  return `M${x0} ${y0}Q${(x0 + x1) / 2 + bend * (y1 - y0)} ${(y0 + y1) / 2 - bend * (x1 - x0)} ${x1} ${y1}`;
}
