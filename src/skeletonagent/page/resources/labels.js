// Labels of a recording: what was recognized, as it is corrected, with a way back.

import { clamp } from "./dom.js";

export const UNKNOWN = "unknown";
const MOST_UNDONE = 200;
const NO_EXPLANATION = { joints: [], joints_from: "movement", runner_up: null, sentences: {} };

/**
 * @typedef {object} Label
 * @property {number} id
 * @property {string} person
 * @property {number} start  First frame.
 * @property {number} end  Frame after the last one.
 * @property {string} label
 * @property {number|null} score  Probability; null of a label that the reader gave.
 * @property {import("./recognizer.js").Share[]} top
 * @property {import("./recognizer.js").Segment["explanation"]} explanation
 * @property {"found"|"corrected"|"added"} origin
 */

/** Emits `change` with `{detail: text}`, the change in words. */
export class Labels extends EventTarget {
  /** @type {Label[]} */
  items = [];
  #past = [];
  #future = [];
  #next = 1;

  /**
   * @param {import("./recognizer.js").Segment[]} segments
   * @param {number} frames  Frames of the recording.
   */
  constructor(segments, frames) {
    super();
    this.frames = frames;
    for (const segment of segments) this.items.push(this.#found(segment));
    this.#sort();
  }

  get canUndo() { return this.#past.length > 0; }
  get canRedo() { return this.#future.length > 0; }
  get isCorrected() { return this.items.some((item) => item.origin !== "found") || this.#past.length > 0; }

  /** Take a segment of a stream, which cannot be undone. */
  grow(segment, frames) {
    this.frames = Math.max(frames, segment.end_frame);
    const item = this.#found(segment);
    this.items = [...this.items, item];
    this.#sort();
    this.#tell("");
    return item;
  }

  find(id) { return this.items.find((item) => item.id === id) ?? null; }

  /** Return the label of a person at a frame, the latest to begin where several overlap. */
  at(frame, person) {
    return this.items.findLast((item) => item.start <= frame && frame < item.end && (person === undefined || item.person === person)) ?? null;
  }

  /** Change label, start or end of an item. */
  change(id, changes) {
    const item = this.find(id);
    if (!item) return;
    const label = changes.label === undefined ? item.label : cleanLabel(changes.label) || item.label;
    const start = clamp(Math.round(changes.start ?? item.start), 0, this.frames - 1);
    const end = clamp(Math.round(changes.end ?? item.end), 1, this.frames);
    // A border that is moved beyond the other one stops a frame before it.
    const bounds = changes.end === undefined ? [Math.min(start, end - 1), end] : [start, Math.max(end, start + 1)];
    if (label === item.label && bounds[0] === item.start && bounds[1] === item.end) return;
    const other = label !== item.label;
    this.#put(this.items.map((each) => (each.id !== id ? each : {
      ...each, label, start: bounds[0], end: bounds[1],
      origin: each.origin === "added" ? "added" : "corrected", score: other ? null : each.score,
    })), other ? `now ${label}` : "borders moved");
  }

  /** Cut an item in two at a frame; return the id of the second part, or null. */
  split(id, frame) {
    const item = this.find(id), at = Math.round(frame);
    if (!item || at <= item.start || at >= item.end) return null;
    const second = { ...item, id: this.#next++, start: at, origin: "corrected" };
    this.#put([...this.items.map((each) => (each.id === id ? { ...each, end: at, origin: "corrected" } : each)), second], `${item.label} split`);
    return second.id;
  }

  remove(id) {
    const item = this.find(id);
    if (item) this.#put(this.items.filter((each) => each.id !== id), `${item.label} deleted`);
  }

  /** Add an item; return its id. */
  add({ person, start, end, label }) {
    const first = clamp(Math.round(start), 0, this.frames - 1);
    const item = {
      id: this.#next++, person, start: first, end: clamp(Math.round(end), first + 1, this.frames),
      label, score: null, top: [], explanation: NO_EXPLANATION, origin: "added",
    };
    this.#put([...this.items, item], `${label} added`);
    return item.id;
  }

  undo() { this.#step(this.#past, this.#future, "undone"); }
  redo() { this.#step(this.#future, this.#past, "done again"); }

  /** Return how many items are no labels, since nobody knows what they are. */
  get unlabelled() { return this.items.filter((item) => item.label === UNKNOWN).length; }

  /**
   * Return the labels as the table that `data import --labels` and `evaluate --segments` read.
   * @param {string} file  Name of the file they are about.
   * @param {number|null} fps  Frames a second; null for bounds in frames.
   */
  csv(file, fps) {
    const known = this.items.filter((item) => item.label !== UNKNOWN);
    const bound = (frame) => (fps ? String(Number((frame / fps).toFixed(4))) : String(frame));
    const head = fps ? ["file", "label", "start", "end"] : ["file", "label", "start_frame", "end_frame"];
    const rows = known.map((item) => [file, item.label, bound(item.start), bound(item.end)]);
    return [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }

  #found(segment) {
    return {
      id: this.#next++, person: segment.person, start: segment.start_frame, end: segment.end_frame, label: segment.label,
      score: segment.score, top: segment.top, explanation: segment.explanation ?? NO_EXPLANATION, origin: "found",
    };
  }

  #put(items, words) {
    this.#past = [...this.#past.slice(1 - MOST_UNDONE), this.items];
    this.#future = [];
    this.items = items;
    this.#sort();
    this.#tell(words);
  }

  #step(from, to, words) {
    const items = from.pop();
    if (!items) return;
    to.push(this.items);
    this.items = items;
    this.#tell(words);
  }

  #sort() {
    this.items.sort((a, b) => a.start - b.start || a.end - b.end || a.person.localeCompare(b.person));
  }

  #tell(words) {
    this.dispatchEvent(new CustomEvent("change", { detail: words }));
  }
}

/** Return whom an action is of, in words: numbers of a tracker, names, two together, or everybody. */
export function personName(person) {
  if (person === "all") return "everybody";
  const together = person.split("+");
  if (!together.every((each) => /^\d/.test(each))) return together.join(" and ");
  return `${together.length > 1 ? "persons" : "person"} ${together.join(" and ")}`;
}

/** Return a label as the Python reader has it: one line, single spaces. */
export const cleanLabel = (text) => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, " ").split(/\s+/).filter(Boolean).join(" ");

const cell = (text) => (/[",;\t\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text);
