/**
 * Joining of bodies that follow one another at the same place, in one sample.
 * @module
 */

import { BodyArrays } from "./body_arrays.js";
import { largestFirst } from "./numbers.js";

const MOST_LOST_FRAMES = 15;
const NEAR = 0.25;
const STEP = 0.03;

/**
 * Coordinates of bodies, and which of them are seen.
 * @typedef {object} PlacedJoints
 * @property {number[]} shape M, T, V and C.
 * @property {number} coordinates
 * @property {ArrayLike<number>} frames M, T, V, C.
 * @property {ArrayLike<number>} present M, T, V.
 */

/**
 * Return the body that each body is in each frame, M, T; -1 where it became part of another.
 * @param {PlacedJoints} bodies
 * @returns {Int32Array}
 */
export function joinedBodies(bodies) {
  const [persons, length, joints] = bodies.shape;
  const taken = new Int32Array(persons * length);
  const visible = new Uint8Array(persons * length);
  for (let frame = 0; frame < taken.length; frame += 1) {
    taken[frame] = Math.floor(frame / length);
    for (let joint = frame * joints; joint < (frame + 1) * joints; joint += 1) {
      if (bodies.present[joint]) visible[frame] = 1;
    }
  }
  const row = (values, body) => values.subarray(body * length, (body + 1) * length);
  for (let one = 0; one < persons; one += 1) {
    for (let other = one + 1; other < persons; other += 1) {
      const [first, second] = [row(visible, one), row(visible, other)];
      if (!first.some(Boolean) || !second.some(Boolean)) continue;
      if (first.some((flag, t) => flag && second[t])) continue;
      const both = row(taken, one).map((body, t) => (second[t] ? row(taken, other)[t] : body));
      if (!followNear(bodies, both, first, second)) continue;
      row(taken, one).set(both);
      row(taken, other).fill(-1);
      second.forEach((flag, t) => {
        if (flag) first[t] = 1;
      });
      second.fill(0);
    }
  }
  return taken;
}

/** Return whether two bodies are near each other wherever one follows the other. */
function followNear(bodies, taken, one, other) {
  const length = bodies.shape[1];
  let before = -1;
  for (let after = 0; after < length; after += 1) {
    if (!one[after] && !other[after]) continue;
    if (before >= 0 && one[before] !== one[after]) {
      const lost = after - before - 1;
      if (lost > MOST_LOST_FRAMES) return false;
      const ends = [before, after].map((t) => taken[t] * length + t);
      if (!areNear(bodies, ends, lost)) return false;
    }
    before = after;
  }
  return true;
}

/** Return whether the joints of two frames are near each other. */
function areNear(bodies, [first, second], lost) {
  const [, , joints, channels] = bodies.shape;
  let distance = 0;
  let count = 0;
  for (let joint = 0; joint < joints; joint += 1) {
    const [one, two] = [first * joints + joint, second * joints + joint];
    if (!bodies.present[one] || !bodies.present[two]) continue;
    let square = 0;
    for (let axis = 0; axis < bodies.coordinates; axis += 1) {
      square += (bodies.frames[two * channels + axis] - bodies.frames[one * channels + axis]) ** 2;
    }
    distance += Math.sqrt(square);
    count += 1;
  }
  const size = Math.max(extent(bodies, first), extent(bodies, second));
  return count > 0 && distance / count <= (NEAR + STEP * lost) * size;
}

/** Return the length of the diagonal of the joints that are seen in a frame. */
function extent(bodies, frame) {
  const [, , joints, channels] = bodies.shape;
  let square = 0;
  for (let axis = 0; axis < bodies.coordinates; axis += 1) {
    let low = Infinity;
    let high = -Infinity;
    for (let joint = frame * joints; joint < (frame + 1) * joints; joint += 1) {
      if (!bodies.present[joint]) continue;
      low = Math.min(low, bodies.frames[joint * channels + axis]);
      high = Math.max(high, bodies.frames[joint * channels + axis]);
    }
    square += (high - low) ** 2;
  }
  return Math.sqrt(square);
}

/**
 * Return bodies of joined persons, of whom the one that is seen in most frames is first.
 * @param {BodyArrays} bodies
 * @param {Int32Array} taken As `joinedBodies` returns it.
 * @returns {BodyArrays}
 */
export function leadingFirst(bodies, taken) {
  const { length, joints, channels } = bodies;
  const frames = new Float32Array(bodies.frames.length);
  const present = new Uint8Array(bodies.present.length);
  taken.forEach((body, place) => {
    if (body < 0) return;
    const from = (body * length + (place % length)) * joints;
    const to = place * joints;
    frames.set(bodies.frames.subarray(from * channels, (from + joints) * channels), to * channels);
    present.set(bodies.present.subarray(from, from + joints), to);
  });
  const joined = new BodyArrays(bodies.shape, bodies.coordinates, frames, present);
  return joined.inOrder(largestFirst(joined.framesSeen));
}
