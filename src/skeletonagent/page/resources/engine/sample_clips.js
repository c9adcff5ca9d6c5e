/**
 * Test clips of one sample: frame sampling, and the input stream of the settings.
 * @module
 */

import { withoutChannel } from "./body_arrays.js";
import { sampleTestFrames, sampleTestPositions } from "./clip_frames.js";

/** @typedef {import("./preparation.js").PreparedSample} PreparedSample */

/**
 * Settings of clips.
 * @typedef {object} ClipSettings
 * @property {number} frames
 * @property {string} stream
 * @property {number} test_clips
 * @property {string} test_sampling
 * @property {string} motion_rule
 * @property {string} confidence_rule
 * @property {string} sampling
 */

/** Values of settings that this engine follows. */
export const KNOWN_CLIP_SETTINGS = {
  stream: ["joint", "bone", "kbone", "joint_motion", "bone_motion", "kbone_motion"],
  test_sampling: ["decode", "frames"],
  motion_rule: ["before", "after"],
  confidence_rule: ["mean", "difference"],
  sampling: ["segments", "linear"],
};

/** Test clips of prepared samples, as an exported recognizer takes them. */
export class SampleClips {
  /**
   * @param {ClipSettings} settings
   * @param {number} persons M, bodies that a clip has room for.
   */
  constructor(settings, persons) {
    this.settings = settings;
    this.persons = persons;
    this.isMotion = settings.stream.endsWith("_motion");
    this.isLinear = settings.sampling === "linear";
    this.differencesFirst = this.isMotion && settings.motion_rule === "before" && !this.isLinear;
  }

  /**
   * Return the test clips of a sample, N, M, T, V, C.
   * @param {PreparedSample} sample
   * @param {number} count Number of clips.
   * @returns {Float32Array}
   */
  of(sample, count) {
    const { bodies, layout } = sample;
    const marks = sample.marksPresent && this.settings.stream !== "joint";
    const whole = this.#room(bodies, marks);
    const isMean = this.settings.confidence_rule === "mean";
    let subtracted = isMean ? bodies.coordinates : bodies.channels;
    let { values, channels } = this.#gathered(whole, bodies, count, subtracted);
    if (sample.dropsDepth) {
      values = withoutChannel(values, channels, 2);
      channels -= 1;
      subtracted -= 1;
    }
    const shape = [count, this.persons, this.settings.frames, bodies.joints, channels];
    values = bones(values, shape, layout, this.settings.stream, subtracted);
    if (this.isMotion && !this.differencesFirst) {
      values = motion(values, shape, subtracted, this.isLinear);
    }
    return marks ? withoutMarks(values, channels) : values;
  }

  /**
   * Return the number of bodies of a sample that a clip has room for.
   * @param {PreparedSample} sample
   * @returns {number}
   */
  numBodies(sample) {
    return Math.min(sample.bodies.persons, this.persons);
  }

  /** Return a sample in M bodies, with a last channel that marks present joints if wanted. */
  #room(bodies, marks) {
    const channels = bodies.channels + Number(marks);
    const rows = bodies.length * bodies.joints;
    const values = new Float32Array(this.persons * rows * channels);
    const there = Math.min(bodies.persons, this.persons) * rows;
    for (let joint = 0; joint < there; joint += 1) {
      const from = joint * bodies.channels;
      values.set(bodies.frames.subarray(from, from + bodies.channels), joint * channels);
      if (marks) values[(joint + 1) * channels - 1] = bodies.present[joint];
    }
    return { values, channels, length: bodies.length, joints: bodies.joints };
  }

  /** Return joints at the frames of clips, or their differences to the sample's next frame. */
  #gathered(whole, bodies, count, subtracted) {
    const { frames, test_sampling: rule } = this.settings;
    if (this.isLinear) {
      const positions = sampleTestPositions(whole.length, frames, count);
      return { values: this.#interpolated(whole, bodies.coordinates, positions), channels: whole.channels };
    }
    const numbers = sampleTestFrames(whole.length, frames, count, rule);
    const values = this.#atFrames(whole, numbers);
    if (!this.differencesFirst) return { values, channels: whole.channels };
    const last = whole.length - 1;
    const next = numbers.map((clip) => clip.map((number) => Math.min(number + 1, last)));
    const following = this.#atFrames(whole, next);
    difference(following, values, whole.channels, subtracted);
    return { values: following, channels: whole.channels };
  }

  /** Return frames of a sample, N, M, T, V, D. */
  #atFrames(whole, numbers) {
    const size = whole.joints * whole.channels;
    const frames = this.settings.frames;
    const found = new Float32Array(numbers.length * this.persons * frames * size);
    let to = 0;
    for (const clip of numbers) {
      for (let body = 0; body < this.persons; body += 1) {
        for (const number of clip) {
          const from = (body * whole.length + number) * size;
          found.set(whole.values.subarray(from, from + size), to);
          to += size;
        }
      }
    }
    return found;
  }

  /** Return a sample at positions in time; all channels are interpolated. */
  #interpolated(whole, coordinates, positions) {
    const rounded = (round) => positions.map((clip) => Array.from(clip, round));
    const before = this.#atFrames(whole, rounded(Math.floor));
    const after = this.#atFrames(whole, rounded(Math.ceil));
    const { channels, joints } = whole;
    const { frames } = this.settings;
    for (let from = 0; from < before.length; from += channels) {
      const frame = Math.floor(from / (channels * joints));
      const clip = Math.floor(frame / (frames * this.persons));
      const position = positions[clip][frame % frames];
      const isSeen = (values) => values.subarray(from, from + coordinates).some(Boolean);
      const seenAfter = isSeen(after);
      const share = Math.fround(position - Math.floor(position));
      const weight = isSeen(before) === seenAfter ? share : Number(seenAfter);
      const rest = Math.fround(1 - weight);
      for (let place = from; place < from + channels; place += 1) {
        const way = Math.fround(after[place] - before[place]);
        before[place] =
          weight < 0.5
            ? before[place] + Math.fround(way * weight)
            : after[place] - Math.fround(way * rest);
      }
    }
    return before;
  }
}

/** Change `end` into `end - start` in leading channels, and into the mean in the others. */
function difference(end, start, channels, subtracted) {
  for (let place = 0; place < end.length; place += 1) {
    end[place] =
      place % channels < subtracted
        ? end[place] - start[place]
        : Math.fround(end[place] + start[place]) / 2;
  }
}

/** Return each joint minus its parent (bone) or grandparent (k-bone), or joints unchanged. */
function bones(values, [, , , joints, channels], layout, stream, subtracted) {
  const base = stream.replace("_motion", "");
  if (base === "joint") return values;
  const starts = base === "bone" ? layout.parents : layout.grandparents;
  const from = new Float32Array(values.length);
  const size = joints * channels;
  for (let frame = 0; frame < values.length; frame += size) {
    starts.forEach((start, joint) => {
      const place = frame + start * channels;
      from.set(values.subarray(place, place + channels), frame + joint * channels);
    });
  }
  const found = values.slice();
  difference(found, from, channels, subtracted);
  return found;
}

/** Return the difference from each frame to the next one; zero for the last frame. */
function motion(values, [count, persons, frames, joints, channels], subtracted, separate) {
  const size = joints * channels;
  const following = new Float32Array(values.length);
  const start = (clip, body, t) => ((clip * persons + body) * frames + t) * size;
  for (let clip = 0; clip < count; clip += 1) {
    for (let body = 0; body < persons; body += 1) {
      for (let t = 0; t < frames; t += 1) {
        let next = start(clip, body, Math.min(t + 1, frames - 1));
        if (!separate && t === frames - 1 && clip < count - 1) next = start(clip + 1, body, 0);
        following.set(values.subarray(next, next + size), start(clip, body, t));
      }
    }
  }
  difference(following, values, channels, subtracted);
  return following;
}

/** Return values without the marks in their last channel, zero where these are not one. */
function withoutMarks(values, channels) {
  for (let from = 0; from < values.length; from += channels) {
    if (values[from + channels - 1] !== 1) values.fill(0, from, from + channels - 1);
  }
  return withoutChannel(values, channels, channels - 1);
}
