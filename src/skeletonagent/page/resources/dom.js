// Elements made of text alone, numbers and times in words, files to save.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
    } else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  // Strings become text nodes, so nothing in a file or an answer can be taken for markup.
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

/** Return an HTML element; `on` holds listeners, `style` properties. */
export function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const ICONS = {
  play: "M6 4l11 6-11 6z", pause: "M5 4h3.6v12H5zM11.4 4H15v12h-3.6z",
  back: "M14 4v12L6 10zM4 4h2v12H4z", forward: "M6 4v12l8-6zM14 4h2v12h-2z",
  close: "M5 5l10 10M15 5L5 15", camera: "M2.5 5.5h10v9h-10zM12.5 8.5l5-2.5v8l-5-2.5z",
  file: "M5 2.5h6.5L15 6v11.5H5zM11 2.5V6.5h4", save: "M10 3v9M6 8.5l4 4 4-4M3.5 16.5h13",
  split: "M10 3v14M4 7l3 3-3 3M16 7l-3 3 3 3", remove: "M4 6h12M8 6V4h4v2M6 6l.8 10.5h6.4L14 6",
  add: "M10 4v12M4 10h12", undo: "M7 4L3.5 7.5 7 11M4 7.5h7.5a4.5 4.5 0 0 1 0 9H7",
  redo: "M13 4l3.5 3.5L13 11M16 7.5H8.5a4.5 4.5 0 0 0 0 9H13", keys: "M2.5 5.5h15v9h-15zM5.5 8.5h.1M8.5 8.5h.1M11.5 8.5h.1M14.5 8.5h.1M6.5 11.5h7",
  stop: "M5 5h10v10H5z", again: "M16 10a6 6 0 1 1-2-4.5M14.5 2v4h-4",
};
const FILLED = new Set(["play", "pause", "back", "forward", "stop"]);

/** Return a small picture for a button, which needs a name of its own. */
export function icon(name) {
  const paint = FILLED.has(name) ? { fill: "currentColor" } : { fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round" };
  return svg("svg", { viewBox: "0 0 20 20", width: 18, height: 18, "aria-hidden": "true" }, svg("path", { d: ICONS[name], ...paint }));
}

/** Return a button with a picture and a text, or with a name alone. */
export function button(name, text, onClick, attributes = {}) {
  return html("button", { type: "button", on: { click: onClick }, ...attributes }, name && icon(name), text && html("span", {}, text));
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}%`;

/** Return a time as a clock shows it: 1:05.20. */
export function clockTime(seconds, digits = 2) {
  const whole = Math.max(0, Number(seconds.toFixed(digits)));
  const minutes = Math.floor(whole / 60), rest = (whole - 60 * minutes).toFixed(digits);
  return `${minutes}:${rest.padStart(digits ? digits + 3 : 2, "0")}`;
}

/** Return a count with its noun: "1 frame", "3 frames". */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Return words as a sentence: with a capital in front and a full stop. */
export function asSentence(text) {
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

let silence = 0;
/** Say something to those who hear the page. */
export function say(text) {
  const place = document.getElementById("spoken");
  place.textContent = "";
  clearTimeout(silence);
  // The same words twice are only read out where they went away in between.
  silence = setTimeout(() => { place.textContent = text; }, 60);
}

/** Give the reader a file. */
export function saveFile(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  html("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Call a function now and whenever the size of an element changes. */
export function onResize(element, listener) {
  new ResizeObserver(() => listener()).observe(element);
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
