/**
 * Movement of one body over time, by which pauses are told from actions.
 * @module
 */

import { roundHalfEven } from "./numbers.js";

/**
 * Numbers by which recordings are cut, as the description of a recognizer holds them.
 * @typedef {Record<string, number>} Constants
 */

/**
 * Return the number of frames of a block, over which places are averaged.
 * @param {number} fps
 * @param {Constants} constants
 * @returns {number}
 */
export function blockFrames(fps, constants) {
  return Math.max(1, roundHalfEven(constants.block_seconds * fps));
}

/** Speed of one body in each frame, computed as frames come. */
export class MovementMeter {
  /**
   * @param {number} fps
   * @param {Constants} constants
   * @param {number} channels
   * @param {number} coordinates
   */
  constructor(fps, constants, channels, coordinates) {
    this.fps = fps;
    this.block = blockFrames(fps, constants);
    this.mostMoved = constants.most_moved;
    this.channels = channels;
    this.coordinates = coordinates;
    /** @type {Float32Array[]} */
    this.frames = [];
    this.measured = 0;
    this.dropped = 0;
  }

  /**
   * Return the speeds of frames that are known now, oldest first.
   * @param {Float32Array} joints V, C; NaN where a joint was not seen.
   * @returns {number[]}
   */
  push(joints) {
    this.frames.push(joints);
    const received = this.dropped + this.frames.length;
    return received - this.measured > this.block ? [this.#nextSpeed()] : [];
  }

  /**
   * Return the speeds of the last frames, after which there are no more.
   * @returns {number[]}
   */
  finish() {
    const left = this.dropped + this.frames.length - this.measured;
    return Array.from({ length: left }, () => this.#nextSpeed());
  }

  #nextSpeed() {
    while (this.measured - this.dropped >= this.block) {
      this.frames.shift();
      this.dropped += 1;
    }
    const first = this.measured - this.dropped + 1; // frames of the first block
    const frames = this.frames.slice(0, first + this.block);
    this.measured += 1;
    // The last frame has nothing after it: it is compared with the block before it.
    const place = Math.min(first, frames.length - 1);
    return place ? this.#bodySpeed(frames, place) : 0;
  }

  /** Return the speed of a body between two blocks of frames, in body sizes a second. */
  #bodySpeed(frames, place) {
    const { channels, coordinates } = this;
    const joints = frames[0].length / channels;
    const poses = [];
    const moves = [];
    for (let joint = 0; joint < joints; joint += 1) {
      const blocks = [new Float64Array(coordinates + 2), new Float64Array(coordinates + 2)];
      frames.forEach((frame, t) => {
        const from = joint * channels;
        const own = frame.subarray(from, from + coordinates);
        if (own.some(Number.isNaN)) return;
        const block = blocks[Number(t >= place)];
        own.forEach((value, axis) => (block[axis] += value));
        block[coordinates] += t;
        block[coordinates + 1] += 1;
      });
      if (blocks.some((block) => block[coordinates + 1] === 0)) continue;
      const [one, two] = blocks.map((block) => block.map((value) => value / block[coordinates + 1]));
      let square = 0;
      for (let axis = 0; axis < coordinates; axis += 1) square += (two[axis] - one[axis]) ** 2;
      poses.push(one.subarray(0, coordinates).map((value, axis) => (value + two[axis]) / 2));
      moves.push(Math.sqrt(square) / (two[coordinates] - one[coordinates]));
    }
    const size = bodySize(poses, coordinates);
    const fastest = moves.sort((a, b) => a - b).slice(-this.mostMoved);
    const mean = fastest.reduce((sum, value) => sum + value, 0) / fastest.length;
    const speed = size > 0 ? (mean * this.fps) / size : 0;
    return Number.isFinite(speed) ? speed : 0;
  }
}

/** Return the root mean square distance of joints from their mean. */
function bodySize(poses, coordinates) {
  if (!poses.length) return 0;
  let square = 0;
  for (let axis = 0; axis < coordinates; axis += 1) {
    const mean = poses.reduce((sum, pose) => sum + pose[axis], 0) / poses.length;
    square += poses.reduce((sum, pose) => sum + (pose[axis] - mean) ** 2, 0);
  }
  return Math.sqrt(square / poses.length);
}

/**
 * Return how far each joint moves from frame to frame, a mean over frames and bodies.
 * @param {Float32Array} joints M, T, V, C; NaN where a joint was not seen.
 * @param {number[]} shape M, T, V and C.
 * @param {number} coordinates
 * @returns {Float64Array}
 */
export function jointMovement(joints, [persons, length, count, channels], coordinates) {
  const total = new Float64Array(count);
  const known = new Float64Array(count);
  for (let body = 0; body < persons; body += 1) {
    for (let t = 1; t < length; t += 1) {
      for (let joint = 0; joint < count; joint += 1) {
        const here = ((body * length + t) * count + joint) * channels;
        const before = here - count * channels;
        let square = 0;
        for (let axis = 0; axis < coordinates; axis += 1) {
          square += (joints[here + axis] - joints[before + axis]) ** 2;
        }
        const step = Math.sqrt(square);
        if (!Number.isFinite(step)) continue;
        total[joint] += step;
        known[joint] += 1;
      }
    }
  }
  return total.map((value, joint) => value / Math.max(known[joint], 1));
}
