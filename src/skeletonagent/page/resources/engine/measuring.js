/**
 * Measures of clips as stored, by which sources of recordings differ.
 * @module
 */

import { BodyArrays, frameMeans } from "./body_arrays.js";
import { meanDistances } from "./body_size.js";
import { SampleAxes, cross, hasDirection } from "./body_turns.js";

const SHORT = 1e-7;

/**
 * Measures of one clip; NaN where unknown.
 * @typedef {object} ClipMeasures
 * @property {number} size
 * @property {number[]} bones
 * @property {number} speed
 * @property {number} roughness
 * @property {number} absent
 * @property {number[]} seen
 * @property {number[]} up
 * @property {number[]} left
 * @property {number} front
 */

/**
 * Return the measures of a clip.
 * @param {number[]} shape M, T, V and C.
 * @param {Float32Array} joints Joints of NaN or zeros were not seen.
 * @param {import("./body_arrays.js").LayoutFacts} layout
 * @param {number} coordinates Number of coordinates to measure, the first ones.
 * @returns {ClipMeasures}
 */
export function measuresOf([persons, length, count, channels], joints, layout, coordinates) {
  const frames = new Float32Array(persons * length * count * coordinates);
  for (let place = 0; place < frames.length; place += 1) {
    const joint = Math.floor(place / coordinates);
    frames[place] = joints[joint * channels + (place % coordinates)] || 0;
  }
  return measured(new BodyArrays([persons, length, count, coordinates], coordinates, frames), layout);
}

function measured(bodies, layout) {
  const { lengths, known } = meanDistances(bodies, ...layout.bone_ends);
  const bones = meansOfBodies(lengths, known.map((flag, n) => Number(flag && lengths[n] > 0)), bodies.persons);
  const size = meanOfKnown(bones);
  const steps = differences(bodies.frames, bodies.present, bodies);
  const changes = differences(steps.values, steps.known, bodies);
  const squares = meanOfMoves(steps, bodies, (square) => square);
  const rough = meanOfMoves(changes, bodies, (square) => square);
  const ways = meanOfMoves(steps, bodies, Math.sqrt);
  const seen = seenShares(bodies);
  const axes = new SampleAxes(bodies, layout, "person").ofBodies;
  return {
    size,
    bones: bones.map((bone) => Math.log(bone / size)),
    speed: ways / size,
    roughness: Math.sqrt(rough / squares),
    absent: 1 - seen.reduce((sum, share) => sum + share, 0) / seen.length,
    seen,
    up: direction(axes.map(({ up }) => up)),
    left: direction(axes.map(({ left }) => left)),
    front: front(bodies, layout, axes) / size,
  };
}

/** Return the differences to the frame before, and where both are known. */
function differences(values, known, { persons, length, joints, coordinates }) {
  const found = new Float64Array(values.length);
  const both = new Uint8Array(known.length);
  for (let joint = 0; joint < persons * length * joints; joint += 1) {
    if (Math.floor(joint / joints) % length === 0) continue;
    both[joint] = Number(known[joint] && known[joint - joints]);
    for (let place = joint * coordinates; place < (joint + 1) * coordinates; place += 1) {
      found[place] = values[place] - values[place - joints * coordinates];
    }
  }
  return { values: found, known: both };
}

/** Return the mean over joints of the means over bodies and frames of the size of moves. */
function meanOfMoves({ values, known }, { persons, length, joints, coordinates }, change) {
  const means = new Float64Array(persons * joints);
  const flags = new Uint8Array(means.length);
  for (let body = 0; body < persons; body += 1) {
    const at = (t, joint) => (body * length + t) * joints + joint;
    const square = (t, joint) => {
      let total = 0;
      for (let axis = 0; axis < coordinates; axis += 1) {
        total += values[at(t, joint) * coordinates + axis] ** 2;
      }
      return change(total);
    };
    const own = frameMeans(square, (t, joint) => known[at(t, joint)], [length, joints, 1]);
    means.set(own.means, body * joints);
    flags.set(own.known, body * joints);
  }
  return meanOfKnown(meansOfBodies(means, flags, persons));
}

/** Return means over the bodies for which a value is known; else NaN. */
function meansOfBodies(values, known, persons) {
  const columns = values.length / persons;
  return Array.from({ length: columns }, (_, column) => {
    let [sum, count] = [0, 0];
    for (let place = column; place < values.length; place += columns) {
      if (!known[place]) continue;
      sum += values[place];
      count += 1;
    }
    return count ? sum / count : NaN;
  });
}

function meanOfKnown(values) {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** Return the share of the frames of a body in which each joint is there. */
function seenShares({ present, joints, visible }) {
  const frames = visible.reduce((sum, flag) => sum + flag, 0);
  const counts = new Array(joints).fill(0);
  present.forEach((flag, joint) => (counts[joint % joints] += flag));
  return counts.map((count) => (frames ? count / frames : NaN));
}

/** Return the mean direction of bodies; NaN where none has one. */
function direction(vectors) {
  const there = vectors.filter(hasDirection);
  const total = vectors[0].map((_, axis) => there.reduce((sum, vector) => sum + vector[axis], 0));
  const length = Math.hypot(...total);
  return total.map((value) => (length > SHORT ? value / length : NaN));
}

/** Return the way from the ankles to the feet along left x up; NaN where unknown. */
function front(bodies, layout, axes) {
  const [feet, ankles] = layout.foot_joints;
  if (bodies.coordinates !== 3 || !feet.length || !ankles.length) return NaN;
  const { length, joints, channels, frames, present } = bodies;
  const ways = [];
  axes.forEach(({ up, left }, body) => {
    const at = (t, joint) => (body * length + t) * joints + joint;
    const { means, known } = frameMeans(
      (t, joint, axis) => frames[at(t, joint) * channels + axis],
      (t, joint) => present[at(t, joint)],
      [length, joints, 3],
    );
    const isKnown = [...feet, ...ankles].every((joint) => known[joint]);
    if (!hasDirection(up) || !hasDirection(left) || !isKnown) return;
    const ahead = cross(left, up);
    const along = (joint) => ahead.reduce((sum, value, axis) => sum + value * means[3 * joint + axis], 0);
    const mean = (chosen) => chosen.reduce((sum, joint) => sum + along(joint), 0) / chosen.length;
    ways.push(mean(feet) - mean(ankles));
  });
  return ways.length ? ways.reduce((sum, way) => sum + way, 0) / ways.length : NaN;
}
