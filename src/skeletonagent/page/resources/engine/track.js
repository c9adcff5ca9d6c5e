/**
 * Track: the frames of one person, or of two together, and the clips that are made of them.
 * @module
 */

import { MovementMeter } from "./movement.js";
import { SpanFinder } from "./spans.js";

/**
 * Frames that are to be classified, or the end of a movement.
 * @typedef {object} TrackItem
 * @property {"clip"|"end"} kind
 * @property {string} track
 * @property {number} span First frame of the movement.
 * @property {number} start First frame.
 * @property {number} end Frame after the last one.
 * @property {Float32Array} [joints] M, T, V, C.
 * @property {number[]} [shape]
 * @property {boolean} [isPreview]
 */

/** Frames of one person or of two, of which only those are kept that a clip may still need. */
export class PersonTrack {
  #frames = [];
  #seen = [];
  #nextWindow = null;
  #previewed = 0;

  /**
   * @param {string} name
   * @param {import("./segment_settings.js").SegmentSettings} settings
   * @param {{channels: number, coordinates: number}} format
   * @param {boolean} previews
   * @param {number} frame Number of the first frame.
   */
  constructor(name, settings, format, previews, frame) {
    this.name = name;
    this.settings = settings;
    this.format = format;
    this.previews = previews;
    this.frame = frame;
    this.absent = 0;
    this.dropped = frame;
    /** @type {MovementMeter[]} */
    this.meters = [];
    this.finder = new SpanFinder(settings.spanRules, frame);
  }

  /** @returns {number} Number of movements that were too short for an action. */
  get tooShort() {
    return this.finder.tooShort;
  }

  /** @returns {boolean} Whether no movement is open. */
  get isStill() {
    return this.finder.start === null;
  }

  /** @returns {number} First frame of the open movement, else of the next one at the earliest. */
  get movementFrom() {
    return this.finder.start ?? this.finder.frame;
  }

  /**
   * Take the next frame, and return what it completes.
   * @param {Float32Array[]} joints V, C of each body; NaN where a joint was not seen.
   * @param {boolean} seen Whether the bodies count as seen, and together where there are two.
   * @returns {TrackItem[]}
   */
  push(joints, seen) {
    if (!this.meters.length) {
      const { fps, constants } = this.settings;
      const { channels, coordinates } = this.format;
      this.meters = joints.map(() => new MovementMeter(fps, constants, channels, coordinates));
    }
    this.#frames.push(joints);
    this.#seen.push(seen);
    this.frame += 1;
    this.absent = seen ? 0 : this.absent + 1;
    const items = this.#measured(this.meters.map((meter, body) => meter.push(joints[body])));
    this.#forget();
    return items;
  }

  /**
   * Return what is left, after the last frame.
   * @returns {TrackItem[]}
   */
  finish() {
    const items = this.#measured(this.meters.map((meter) => meter.finish()));
    const start = this.finder.start;
    items.push(...this.#closed(start, this.finder.finish()));
    this.#forget();
    return items;
  }

  #measured(speeds) {
    const items = [];
    for (let place = 0; place < (speeds[0]?.length ?? 0); place += 1) {
      const seen = this.#seen[this.finder.frame - this.dropped];
      const before = this.finder.start;
      const ended = this.finder.push(Math.max(...speeds.map((row) => row[place])), seen);
      items.push(...this.#windows());
      if (this.finder.start === null) items.push(...this.#closed(before, ended));
    }
    return items;
  }

  /** Return the windows of the open movement that are complete now. */
  #windows() {
    const { start, confirmed } = this.finder;
    const { window, stride, longest } = this.settings;
    const items = [];
    if (start === null) return items;
    if (this.#nextWindow === null && confirmed - start > longest) this.#nextWindow = start;
    if (this.#nextWindow !== null) {
      while (this.#nextWindow + window <= confirmed) {
        items.push(this.#clip(start, this.#nextWindow, this.#nextWindow + window));
        this.#nextWindow += stride;
      }
    } else if (this.previews && confirmed - Math.max(start, this.#previewed) >= stride) {
      this.#previewed = confirmed;
      items.push(this.#clip(start, Math.max(start, confirmed - window), confirmed, true));
    }
    return items;
  }

  /** Return the last clip of a movement and its end. */
  #closed(start, span) {
    const following = this.#nextWindow;
    this.#nextWindow = null;
    if (start === null || span === null) return [];
    const end = span[1];
    const { window, stride } = this.settings;
    const items = [];
    if (following === null) items.push(this.#clip(start, start, end));
    else if (following - stride + window < end) items.push(this.#clip(start, end - window, end));
    items.push({ kind: "end", track: this.name, span: start, start, end });
    return items;
  }

  #clip(span, start, end, isPreview = false) {
    const frames = this.#frames.slice(start - this.dropped, end - this.dropped);
    const size = frames[0][0].length;
    const persons = frames[0].length;
    const joints = new Float32Array(persons * frames.length * size);
    frames.forEach((bodies, t) => {
      bodies.forEach((body, place) => joints.set(body, (place * frames.length + t) * size));
    });
    const { channels } = this.format;
    const shape = [persons, frames.length, size / channels, channels];
    return { kind: "clip", track: this.name, span, start, end, joints, shape, isPreview };
  }

  /** Drop frames that no clip needs any more. */
  #forget() {
    const { start, frame } = this.finder;
    let kept = start ?? frame;
    if (start !== null && this.#nextWindow !== null) kept = this.#nextWindow - this.settings.stride;
    const count = Math.max(0, Math.min(kept, frame) - this.dropped);
    if (count <= this.settings.stride) return;
    this.#frames.splice(0, count);
    this.#seen.splice(0, count);
    this.dropped += count;
  }
}
