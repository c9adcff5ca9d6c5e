/**
 * Check of recordings against the training clips: another sensor, unit, camera or frame rate.
 * @module
 */

import { measuresOf } from "./measuring.js";
import { argmax, general, median, roundHalfEven } from "./numbers.js";

/** @typedef {import("./measuring.js").ClipMeasures} ClipMeasures */

const RANGES = ["size", "speed", "roughness", "absent", "tilt", "turn", "front", "misfit"];
const LEAST = {
  size: 0.22, speed: 0.7, roughness: 0.35, absent: 0.05, tilt: 10, turn: 20, front: 0.05, misfit: 1,
};
const FEW = 20;
const HARDLY_EVER = 0.05;
const OFTEN = 0.5;
const PIECES = 64;

const percent = (share) => `${roundHalfEven(100 * share)}%`;
const known = (values) => values.filter((value) => !Number.isNaN(value));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const PHRASES = {
  size: (own, usual) => `coordinates ${general(Math.exp(own - usual), 3)} times as large`,
  speed: (own, usual) => `joints ${general(Math.exp(own - usual), 2)} times as fast`,
  roughness: (own, usual) => `movement ${general(Math.exp(own - usual), 2)} times as rough`,
  tilt: (own) => `bodies tilted by ${roundHalfEven(own)} degrees, so another camera or axes`,
  turn: (own) => `bodies turned by ${roundHalfEven(own)} degrees, so another camera or axes`,
  front: (own, usual) =>
    own * usual < 0
      ? "feet point backwards, so coordinates are mirrored or left and right exchanged"
      : "feet point another way than the joints of the ankles say",
};

/** Comparison of recordings with the clips that a recognizer was trained on. */
export class SourceCheck {
  /** @param {any} description Description of the recognizer. */
  constructor(description) {
    this.description = description;
    this.statistics = description.statistics;
    this.clips = description.training_clips;
  }

  /**
   * Return in what an untrimmed recording is unlike the training clips, null if in nothing.
   * @param {import("./recording_input.js").InputRecording} recording
   * @param {number|null} fps
   * @returns {string|null}
   */
  ofRecording({ joints, shape }, fps) {
    const words = this.#rateWords(fps);
    const factor = this.#factor(fps);
    if (this.statistics !== null && this.clips !== null) {
      const length = Math.max(2, roundHalfEven(factor * this.clips.median));
      const pieces = piecesOf(joints, shape, length);
      const scalars = pieces.map((piece) => this.#scalars(this.#measures(piece), factor));
      if (pieces.length) words.push(...this.#words(pieces, scalars, factor, true));
    }
    return this.#sentence("", words);
  }

  /**
   * Return in what a trimmed clip is unlike the training clips, null if in nothing.
   * @param {import("./recording_input.js").InputRecording} recording
   * @returns {string|null}
   */
  ofClip({ name, joints, shape, fps }) {
    const words = this.#rateWords(fps);
    const factor = this.#factor(fps);
    if (this.statistics !== null) {
      const clip = { joints, shape };
      words.push(...this.#words([clip], [this.#scalars(this.#measures(clip), factor)], factor, false));
    }
    return this.#sentence(`sample '${name}': `, words);
  }

  /**
   * Return in what the first frames of a stream are unlike the training clips.
   * @param {Float32Array[]} frames V, C each.
   * @param {number} fps
   * @returns {string|null}
   */
  ofFrames(frames, fps) {
    const size = frames[0].length;
    const joints = new Float32Array(frames.length * size);
    frames.forEach((frame, t) => joints.set(frame, t * size));
    const { channels } = this.description.input;
    return this.ofRecording({ joints, shape: [1, frames.length, size / channels, channels] }, fps);
  }

  #sentence(named, words) {
    if (!words.length) return null;
    return `unlike the training clips: ${named}${words.join("; ")}. ${this.description.constants.advice}`;
  }

  #factor(fps) {
    return fps && this.clips?.fps ? fps / this.clips.fps : 1;
  }

  #rateWords(fps) {
    const factor = this.#factor(fps);
    const { most_rate_ratio: most } = this.description.constants;
    if (this.clips === null || Math.max(factor, 1 / factor) <= most) return [];
    return [`${general(fps)} frames a second, the training clips had ${general(this.clips.fps)}`];
  }

  #measures({ joints, shape }) {
    const { input } = this.description;
    const coordinates = Math.min(this.statistics.up.length, input.coordinates);
    return measuresOf(shape, joints, input.layout, coordinates);
  }

  /** Return the measures of a clip as they are compared, NaN where unknown. */
  #scalars(measures, factor) {
    const { bones, bone_weights: weights, up, left } = this.statistics;
    const away = measures.bones.map((bone, place) => bone - (bones[place] ?? NaN));
    const count = away.filter(Number.isFinite).length;
    const finite = away.map((value) => (Number.isFinite(value) ? value : 0));
    const weighted = weights[0].map((_, column) =>
      finite.reduce((sum, value, row) => sum + value * weights[row][column], 0),
    );
    const square = weighted.reduce((sum, value, place) => sum + value * finite[place], 0);
    const found = {
      size: Math.log(measures.size),
      speed: Math.log(measures.speed) + Math.log(factor),
      roughness: Math.log(measures.roughness),
      absent: measures.absent,
      tilt: angle(measures.up, up),
      turn: angle(measures.left, left),
      front: measures.front,
      misfit: Math.sqrt(square / count),
    };
    for (const name of RANGES) if (!Number.isFinite(found[name])) found[name] = NaN;
    return { ...found, measures };
  }

  /** Return whether a clip is far from the training clips in a measure. */
  #isFar(name, scalars, untrimmed) {
    const [low, middle, high] = this.statistics[name];
    const value = scalars[name];
    const above = (value - middle) / Math.max(high - middle, LEAST[name]);
    const below = (middle - value) / Math.max(middle - low, LEAST[name]);
    const far = this.description.constants.far * (1 + FEW / this.statistics.samples);
    if (!(Math.max(above, below) / far > 1)) return false;
    return !untrimmed || name !== "speed" || value > middle;
  }

  /** Return what most of the clips differ in, in words. */
  #words(clips, scalars, factor, untrimmed) {
    const words = [];
    for (const name of RANGES) {
      if (this.#takenOut.has(name) || (untrimmed && name === "roughness")) continue;
      const far = scalars.filter((one) => this.#isFar(name, one, untrimmed));
      if (far.length / scalars.length > 0.5) words.push(this.#word(name, far));
    }
    return words;
  }

  /** Measures that preprocessing makes alike. */
  get #takenOut() {
    const { dims, scale, orientation } = this.description.data;
    const flat = dims === 2;
    const skipped = new Set();
    if (scale !== "none" || flat) skipped.add("size");
    if (orientation !== "camera" || flat) skipped.add("turn");
    if (orientation === "body" || flat) skipped.add("tilt");
    return skipped;
  }

  #word(name, far) {
    if (name === "misfit") return this.#boneWord(far);
    const own = median(known(far.map((one) => one[name])));
    if (name === "absent") return this.#absentWord(far, own);
    return PHRASES[name](own, this.statistics[name][1]);
  }

  #boneWord(far) {
    const { layout } = this.description.input;
    const away = this.statistics.bones.map((bone, place) => {
      const there = far.map(({ measures }) => measures.bones[place]).filter(Number.isFinite);
      return there.length && bone !== null ? mean(there) - bone : 0;
    });
    const worst = argmax(away.map(Math.abs));
    const [child, parent] = layout.bone_ends.map((ends) => layout.names[ends[worst]]);
    return (
      `bodies of other proportions, such as ${parent} to ${child}, ` +
      `${general(Math.exp(away[worst]), 2)} times as long`
    );
  }

  #absentWord(far, share) {
    const { names } = this.description.input.layout;
    const gone = names.filter((_, joint) => {
      const seen = known(far.map(({ measures }) => measures.seen[joint]));
      return seen.length && mean(seen) < HARDLY_EVER && this.statistics.seen[joint] > OFTEN;
    });
    const named = gone.length ? `, such as ${gone.slice(0, 4).join(", ")}` : "";
    const usual = percent(this.statistics.absent[1]);
    return `${percent(share)} of joints absent${named}, ${usual} in training`;
  }
}

/** Return the angle between unit vectors in degrees; NaN where one is unknown. */
function angle(vector, center) {
  const there = center.map((value) => value ?? NaN);
  if (!there.some(Boolean)) return NaN;
  const along = vector.reduce((sum, value, axis) => sum + value * there[axis], 0);
  return (Math.acos(Math.min(1, Math.max(-1, along))) * 180) / Math.PI;
}

/** Return pieces of a recording in which somebody is seen. */
function piecesOf(joints, [persons, length, count, channels], size) {
  const starts = [];
  for (let start = 0; start < Math.max(1, length - Math.floor(size / 2)); start += size) {
    starts.push(start);
  }
  const every = Math.max(1, Math.ceil(starts.length / PIECES));
  const width = count * channels;
  return starts
    .filter((_, place) => place % every === 0)
    .map((start) => {
      const end = Math.min(length, start + size);
      const part = new Float32Array(persons * (end - start) * width);
      for (let body = 0; body < persons; body += 1) {
        const from = (body * length + start) * width;
        part.set(joints.subarray(from, from + (end - start) * width), body * (end - start) * width);
      }
      return { joints: part, shape: [persons, end - start, count, channels] };
    })
    .filter((piece) => piece.joints.some(Number.isFinite));
}
