/**
 * Size of the bodies of one sample, also where joints are absent.
 * @module
 */

/** @typedef {import("./body_arrays.js").BodyArrays} BodyArrays */
/** @typedef {import("./body_arrays.js").LayoutFacts} LayoutFacts */

/**
 * Return the mean bone length of the bodies of a sample; 1 if none is known.
 * @param {BodyArrays} bodies
 * @param {LayoutFacts} layout
 * @returns {number}
 */
export function meanBoneSize(bodies, layout) {
  const [child, parent] = layout.bone_ends;
  const { lengths, known } = meanDistances(bodies, child, parent);
  if (known.some((flag) => !flag)) addUnseenBones(bodies, lengths, known, layout);
  const bones = child.length;
  const means = [];
  for (let body = 0; body < bodies.persons; body += 1) {
    let sum = 0;
    let count = 0;
    for (let bone = body * bones; bone < (body + 1) * bones; bone += 1) {
      sum += lengths[bone];
      count += known[bone];
    }
    if (sum > 0) means.push(sum / Math.max(count, 1));
  }
  const total = means.reduce((sum, mean) => sum + mean, 0);
  return means.length ? Math.fround(total / means.length) : 1;
}

/**
 * Return the mean distance of pairs of joints, M, E, and whether they are ever seen together.
 * @param {BodyArrays} bodies
 * @param {number[]} ones
 * @param {number[]} others
 * @returns {{lengths: Float64Array, known: Uint8Array}}
 */
export function meanDistances(bodies, ones, others) {
  const { persons, length, joints, channels, coordinates } = bodies;
  const lengths = new Float64Array(persons * ones.length);
  const known = new Uint8Array(lengths.length);
  for (let place = 0; place < lengths.length; place += 1) {
    const pair = place % ones.length;
    const body = (place - pair) / ones.length;
    let count = 0;
    for (let t = 0; t < length; t += 1) {
      const frame = (body * length + t) * joints;
      const [one, two] = [frame + ones[pair], frame + others[pair]];
      if (!bodies.present[one] || !bodies.present[two]) continue;
      let square = 0;
      for (let axis = 0; axis < coordinates; axis += 1) {
        const [a, b] = [bodies.frames[one * channels + axis], bodies.frames[two * channels + axis]];
        square += Math.fround(a - b) ** 2;
      }
      lengths[place] += Math.sqrt(square);
      count += 1;
    }
    known[place] = count > 0 ? 1 : 0;
    lengths[place] /= Math.max(count, 1);
  }
  return { lengths, known };
}

/** Fill in the lengths of bones that are never seen, where others say them. */
function addUnseenBones(bodies, lengths, known, layout) {
  const [child, parent] = layout.bone_ends;
  const [other, farChild, farParent] = layout.unseen_bone_sources;
  const bones = child.length;
  const [given, there] = [lengths.slice(), known.slice()];
  for (let place = 0; place < lengths.length; place += 1) {
    const bone = place % bones;
    const mirrored = place - bone + other[bone];
    if (there[place] || !there[mirrored]) continue;
    lengths[place] = given[mirrored];
    known[place] = 1;
  }
  const ever = everSeen(bodies);
  for (const [ones, twos, missing] of [
    [farChild, parent, child],
    [child, farParent, parent],
  ]) {
    const ways = meanDistances(bodies, ones, twos);
    for (let place = 0; place < lengths.length; place += 1) {
      const bone = place % bones;
      const body = (place - bone) / bones;
      const isAbsent = !ever[body * bodies.joints + missing[bone]];
      if (known[place] || !ways.known[place] || !isAbsent || !(ways.lengths[place] > 0)) continue;
      lengths[place] = ways.lengths[place] / 2;
      known[place] = 1;
    }
  }
}

/** Return whether each joint of each body is ever present, M, V. */
function everSeen(bodies) {
  const { persons, length, joints, present } = bodies;
  const ever = new Uint8Array(persons * joints);
  for (let place = 0; place < present.length; place += 1) {
    const body = Math.floor(place / (length * joints));
    if (present[place]) ever[body * joints + (place % joints)] = 1;
  }
  return ever;
}

/**
 * Return the root mean square distance of all joints of a sample from their mean.
 * @param {BodyArrays} bodies
 * @returns {number}
 */
export function rmsSize(bodies) {
  const { channels, coordinates, present, frames } = bodies;
  const count = Math.max(1, present.reduce((sum, flag) => sum + flag, 0));
  const sums = new Float64Array(coordinates);
  let squares = 0;
  for (let joint = 0; joint < present.length; joint += 1) {
    for (let axis = 0; axis < coordinates; axis += 1) {
      const value = frames[joint * channels + axis];
      squares += value * value;
      sums[axis] += value;
    }
  }
  const square = squares / count;
  const spread = square - sums.reduce((sum, value) => sum + (value / count) ** 2, 0);
  return spread <= 1e-12 * square ? 1 : Math.fround(Math.sqrt(spread));
}
