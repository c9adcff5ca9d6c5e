/**
 * Settings of segmentation, with defaults that follow from the clips of the training.
 * @module
 */

import { blockFrames } from "./movement.js";
import { rounded, roundHalfEven } from "./numbers.js";

/**
 * What a caller may ask for; undefined takes what follows from the run.
 * @typedef {object} SegmentOptions
 * @property {number} [window]
 * @property {number} [stride]
 * @property {number} [threshold]
 */

/** Settings by which one recording is cut into segments, all in frames of this recording. */
export class SegmentSettings {
  /**
   * @param {SegmentOptions} options
   * @param {any} description Description of the recognizer.
   * @param {number|null} fps Frames a second of the recording, if known.
   */
  constructor(options, description, fps) {
    requireOptions(options);
    const { constants, training_clips: given } = description;
    const clipFrames = description.clips.frames;
    const clips = given ?? {
      shortest: clipFrames,
      median: 2 * clipFrames,
      longest: 3 * clipFrames,
      fps: null,
    };
    /** @type {string[]} What had to be assumed, in words. */
    this.remarks = [];
    if (given === null && options.window === undefined) {
      this.remarks.push(
        "the run does not say how long its training clips were; windows have " +
          `${2 * clipFrames} frames. Set the window to the length of an action`,
      );
    }
    const factor = fps && clips.fps ? fps / clips.fps : 1;
    this.constants = constants;
    this.fps = fps || constants.assumed_fps;
    this.window = options.window || Math.max(2, roundHalfEven(factor * clips.median));
    this.stride = options.stride || Math.max(1, Math.floor(this.window / 4));
    this.longest = Math.max(
      this.window,
      roundHalfEven(constants.longest_factor * factor * clips.longest),
      roundHalfEven(constants.shortest_seconds * this.fps) + 1,
    );
    const shortest = Math.min(this.window, roundHalfEven(factor * clips.shortest));
    this.shortest = Math.max(1, Math.floor(shortest / 2));
    this.threshold = options.threshold ?? description.threshold;
    this.thresholdFrom = options.threshold === undefined ? description.threshold_from : "given";
    this.rest = description.rest;
    this.usesStillness = description.uses_stillness;
    this.classNames = description.class_names;
    /** @type {boolean[]} Classes that two persons show together. */
    this.pairs = description.pairs;
    /** @type {boolean[]} Classes that one person can show by itself. */
    this.singles = description.pairs.map((flag) => !flag);
    /** @type {import("./spans.js").SpanRules} */
    this.spanRules = this.#spanRules();
    /** Largest number of frames between two segments of one class that are one. */
    this.join = roundHalfEven(constants.join_seconds * this.fps);
  }

  #spanRules() {
    const { constants, fps, usesStillness } = this;
    return {
      speed: usesStillness ? constants.movement_speed : null,
      pause: Math.max(1, roundHalfEven(constants.pause_seconds * fps)),
      shortest: Math.max(1, roundHalfEven(constants.shortest_seconds * fps)),
      pad: usesStillness ? roundHalfEven(constants.pad_seconds * fps) : 0,
      lead: usesStillness ? blockFrames(fps, constants) : 0,
    };
  }

  /**
   * Return how probabilities become labels of one person, or of two together.
   * @param {boolean} ofPairs
   * @returns {import("./labelling.js").LabelRules}
   */
  labelRules(ofPairs) {
    const rest = this.rest === null ? null : this.classNames.indexOf(this.rest);
    const allowed = (ofPairs ? this.pairs : this.singles).map((flag, label) => flag || label === rest);
    const { threshold, stride, shortest } = this;
    return { allowed, threshold, rest, stride, shortest };
  }

  /** @returns {object} The settings as a prediction states them. */
  toJson() {
    return {
      window: this.window,
      stride: this.stride,
      threshold: rounded(this.threshold, 6),
      threshold_from: this.thresholdFrom,
      longest: this.longest,
      rest: this.rest ?? (this.usesStillness ? "stillness" : "none"),
    };
  }
}

/** Refuse values that cannot be used. */
function requireOptions({ window, stride, threshold }) {
  for (const [name, value] of Object.entries({ window, stride })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new Error(`${name} is ${value}; wanted is a number of frames from 1 on`);
    }
  }
  if (threshold !== undefined && !(threshold >= 0 && threshold <= 1)) {
    throw new Error(`threshold is ${threshold}; wanted is a probability, 0 to 1`);
  }
}
