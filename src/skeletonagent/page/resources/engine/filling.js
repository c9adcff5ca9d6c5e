/**
 * Gaps of absent joints in one sample, filled by linear interpolation in time.
 * @module
 */

import { BodyArrays } from "./body_arrays.js";

/** @typedef {import("./body_arrays.js").LayoutFacts} LayoutFacts */

/**
 * Return bodies whose joints are interpolated where they are absent and their body is there.
 * @param {BodyArrays} bodies
 * @param {LayoutFacts} layout
 * @returns {BodyArrays}
 */
export function withoutGaps(bodies, layout) {
  const { persons, length, joints, coordinates, channels } = bodies;
  const frames = bodies.frames.slice();
  for (let body = 0; body < persons; body += 1) {
    const from = body * length * joints;
    const present = bodies.present.subarray(from, from + length * joints);
    const own = new Float32Array(length * joints * coordinates);
    for (let joint = 0; joint < length * joints; joint += 1) {
      for (let axis = 0; axis < coordinates; axis += 1) {
        own[joint * coordinates + axis] = frames[(from + joint) * channels + axis];
      }
    }
    const filled = filledJoints(own, present, [length, joints, coordinates], layout);
    for (let joint = 0; joint < length * joints; joint += 1) {
      for (let axis = 0; axis < coordinates; axis += 1) {
        frames[(from + joint) * channels + axis] = filled[joint * coordinates + axis];
      }
    }
  }
  return new BodyArrays(bodies.shape, coordinates, frames);
}

/** Return the joints of one body, T, V, D, without gaps. */
function filledJoints(own, present, shape, layout) {
  const [length, joints] = shape;
  let first = -1;
  let last = -1;
  for (let t = 0; t < length; t += 1) {
    if (!present.subarray(t * joints, (t + 1) * joints).some(Boolean)) continue;
    if (first < 0) first = t;
    last = t;
  }
  if (first < 0) return own;
  const held = interpolated(own, present, shape, [first, last]);
  return carried(own, held, present, shape, [first, last], layout);
}

/**
 * Return values interpolated over the frames in which they are not known, held at the ends.
 * @template {Float32Array|Float64Array} A
 * @param {A} values T, K, D.
 * @param {ArrayLike<number>} known T, K.
 * @param {number[]} shape T, K and D.
 * @param {number[]} span First and last frame that are filled.
 * @returns {A}
 */
export function interpolated(values, known, [length, columns, axes], [first, last]) {
  const filled = values.slice();
  const round = values instanceof Float32Array ? Math.fround : (value) => value;
  const after = new Int32Array(length);
  for (let column = 0; column < columns; column += 1) {
    let next = length;
    for (let t = length - 1; t >= 0; t -= 1) {
      if (known[t * columns + column]) next = t;
      after[t] = next;
    }
    let before = -1;
    for (let t = 0; t < length; t += 1) {
      if (known[t * columns + column]) before = t;
      const hasBefore = before >= first;
      const hasAfter = after[t] <= last;
      const isMissing = !known[t * columns + column] && t >= first && t <= last;
      if (!isMissing || !(hasBefore || hasAfter)) continue;
      const from = hasBefore ? before : after[t];
      const to = hasAfter ? after[t] : before;
      const share = Math.fround((t - from) / Math.max(to - from, 1));
      const rest = round(1 - share);
      for (let axis = 0; axis < axes; axis += 1) {
        const one = round(values[(from * columns + column) * axes + axis] * rest);
        const two = round(values[(to * columns + column) * axes + axis] * share);
        filled[(t * columns + column) * axes + axis] = one + two;
      }
    }
  }
  return /** @type {A} */ (filled);
}

/** Return joints that are carried along by their neighbors where they were only held. */
function carried(seen, held, present, [length, joints, axes], [start, end], layout) {
  const found = held.slice();
  const way = new Float32Array(axes);
  for (let joint = 0; joint < joints; joint += 1) {
    let first = length;
    let last = -1;
    for (let t = 0; t < length; t += 1) {
      if (!present[t * joints + joint]) continue;
      first = Math.min(first, t);
      last = t;
    }
    if (last < 0) continue;
    for (let t = start; t <= end; t += 1) {
      if (t >= first && t <= last) continue;
      const source = t < first ? first : last;
      let known = 0;
      way.fill(0);
      for (const neighbors of layout.nth_neighbors) {
        const other = neighbors[joint];
        const both = present[t * joints + other] && present[source * joints + other];
        if (other === joint || !both) continue;
        known += 1;
        for (let axis = 0; axis < axes; axis += 1) {
          const here = seen[(t * joints + other) * axes + axis];
          way[axis] += Math.fround(here - seen[(source * joints + other) * axes + axis]);
        }
      }
      for (let axis = 0; axis < axes; axis += 1) {
        found[(t * joints + joint) * axes + axis] += Math.fround(way[axis] / Math.max(known, 1));
      }
    }
  }
  return found;
}
