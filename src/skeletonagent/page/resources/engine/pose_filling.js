/**
 * Joints of a sample that were never seen, filled in by the poses of the training clips.
 * @module
 */

import { BodyArrays } from "./body_arrays.js";
import { cross } from "./body_turns.js";
import { inverseOfSymmetric, singularValues } from "./linear_algebra.js";

/** @typedef {import("./preparation.js").PreparedSample} PreparedSample */
/** @typedef {import("./preparation.js").SamplePreparation} SamplePreparation */

const FREE_MOVE = 100;

/**
 * Distribution of the poses of the training clips, as the description of a recognizer holds it.
 * @typedef {object} PoseModel
 * @property {(number[]|null)[]} mean V rows of D numbers; null where unknown.
 * @property {number[][][]} axes K, V, D.
 * @property {number} noise
 */

/** Imputation of the joints that are absent after preprocessing, where their body is seen. */
export class PoseFilling {
  /**
   * @param {PoseModel} model
   * @param {SamplePreparation} preparation
   */
  constructor(model, preparation) {
    this.preparation = preparation;
    this.known = model.mean.map((row) => row !== null);
    this.model = model;
  }

  /**
   * Return a sample with its joints, which then count as present; others are unchanged.
   * @param {PreparedSample} sample
   * @returns {PreparedSample}
   */
  fill(sample) {
    const { bodies } = sample;
    if (!sample.marksPresent || !this.#lacks(bodies)) return sample;
    const seen = bodies.present;
    const settings = this.preparation.settings;
    const rough = this.#withExpected(this.#turned(bodies), seen);
    const scale = settings.scale === "body" ? "body" : "none";
    const placed = this.preparation.placed(rough, { ...settings, gaps: "keep", scale });
    return sample.withBodies(this.#withExpected(placed.bodies, seen));
  }

  #lacks({ present, joints }) {
    for (let from = 0; from < present.length; from += joints) {
      let some = false;
      let lacks = false;
      for (let joint = 0; joint < joints; joint += 1) {
        if (present[from + joint]) some = true;
        else if (this.known[joint]) lacks = true;
      }
      if (some && lacks) return true;
    }
    return false;
  }

  /** Return bodies with the joints that were not seen, given those that were. */
  #withExpected(bodies, seen) {
    const poses = new ExpectedPoses(this.model, this.known, bodies.coordinates);
    const { joints, channels, coordinates } = bodies;
    const frames = bodies.frames.slice();
    const present = seen.slice();
    for (let from = 0; from < seen.length; from += joints) {
      const own = seen.subarray(from, from + joints);
      if (!own.some(Boolean)) continue;
      const places = poses.expected(frames, from * channels, channels, own);
      for (let joint = 0; joint < joints; joint += 1) {
        if (own[joint] || !this.known[joint]) continue;
        present[from + joint] = 1;
        if (places === null) continue;
        for (let axis = 0; axis < coordinates; axis += 1) {
          frames[(from + joint) * channels + axis] = places[joint * coordinates + axis];
        }
      }
    }
    return new BodyArrays(bodies.shape, coordinates, frames, present);
  }

  /** Return bodies turned until the joints of the first one fit the mean pose best. */
  #turned(bodies) {
    const { settings } = this.preparation;
    if (settings.orientation === "camera" || bodies.coordinates < 3) return bodies;
    const isPair = settings.origin === "group" && bodies.persons !== 1;
    const poses = new ExpectedPoses(this.model, this.known, 3);
    const { length, joints, channels } = bodies;
    let products = Array.from({ length }, (_, t) => {
      const seen = bodies.present.subarray(t * joints, (t + 1) * joints);
      const counted = this.known.map((known, joint) => known && seen[joint] && !isPair);
      return poses.products(bodies.frames, t * joints * channels, channels, counted);
    });
    if (settings.orientation_per === "clip") {
      const total = new Float64Array(9);
      for (const product of products) product.forEach((value, place) => (total[place] += value));
      products = [total];
    }
    const turns = products.map((product) => rotationOf(product, settings.orientation));
    return bodies.changed((frames, from, joint) => {
      const turn = turns.length > 1 ? turns[Math.floor(joint / joints) % length] : turns[0];
      const [x, y, z] = frames.subarray(from, from + 3);
      for (let axis = 0; axis < 3; axis += 1) {
        frames[from + axis] = x * turn[axis] + y * turn[3 + axis] + z * turn[6 + axis];
      }
    });
  }
}

/** Poses that those of the training clips let expect, in the first coordinates. */
class ExpectedPoses {
  constructor(model, known, coordinates) {
    this.known = known;
    this.noise = model.noise;
    this.d = coordinates;
    this.v = known.length;
    const flat = (rows) => Float64Array.from(rows.flatMap((row) => row.slice(0, coordinates)));
    const nothing = new Array(coordinates).fill(0);
    this.mean = flat(model.mean.map((row) => row ?? nothing).map((row) => row.map(Math.fround)));
    const axes = model.axes.map((axis) => flat(axis.map((row) => row.map(Math.fround))));
    this.variances = Float64Array.from({ length: this.v }, (_, joint) => {
      let square = 0;
      for (const axis of axes) {
        for (let place = joint * this.d; place < (joint + 1) * this.d; place += 1) {
          square += axis[place] ** 2;
        }
      }
      return Math.fround(square + this.noise * coordinates);
    });
    const mean = this.variances.reduce((total, value) => total + value, 0) / this.v;
    const far = FREE_MOVE * Math.sqrt(mean / coordinates);
    const moves = nothing.map((_, moved) =>
      Float64Array.from({ length: this.v * this.d }, (_unused, place) =>
        place % this.d === moved ? far : 0,
      ),
    );
    this.axes = [...axes, ...moves];
    this.inverses = new Map();
  }

  /** Inverse of the precision of the shares of the axes, given the joints that are seen. */
  #inverse(counted) {
    const key = counted.join("");
    const found = this.inverses.get(key);
    if (found) return found;
    const k = this.axes.length;
    const precision = new Float64Array(k * k);
    for (let a = 0; a < k; a += 1) {
      for (let b = 0; b <= a; b += 1) {
        let total = a === b ? this.noise : 0;
        for (let place = 0; place < this.v * this.d; place += 1) {
          if (counted[Math.floor(place / this.d)]) total += this.axes[a][place] * this.axes[b][place];
        }
        precision[a * k + b] = total;
        precision[b * k + a] = total;
      }
    }
    const inverse = inverseOfSymmetric(precision, k);
    this.inverses.set(key, inverse);
    return inverse;
  }

  /**
   * Return the expected place of every joint of a pose, V, D, given those that are seen; null
   * where none of the known ones is seen, or all of them.
   * @param {Float32Array} frames Numbers among which the pose is.
   * @param {number} from Where it begins.
   * @param {number} channels
   * @param {Uint8Array} seen
   */
  expected(frames, from, channels, seen) {
    const counted = this.known.map((known, joint) => (known && seen[joint] ? 1 : 0));
    if (!counted.includes(1) || !this.known.some((known, joint) => known && !seen[joint])) {
      return null;
    }
    const { d, axes } = this;
    const along = axes.map((axis) => {
      let total = 0;
      counted.forEach((counts, joint) => {
        if (!counts) return;
        for (let c = 0; c < d; c += 1) {
          const place = joint * d + c;
          total += (frames[from + joint * channels + c] - this.mean[place]) * axis[place];
        }
      });
      return total;
    });
    const inverse = this.#inverse(counted);
    const places = this.mean.slice();
    axes.forEach((axis, a) => {
      let share = 0;
      along.forEach((value, b) => (share += inverse[a * axes.length + b] * value));
      for (let place = 0; place < places.length; place += 1) places[place] += share * axis[place];
    });
    return places;
  }

  /**
   * Return the weighted products of joints and mean pose, from which a rotation follows.
   * @param {Float32Array} frames
   * @param {number} from
   * @param {number} channels
   * @param {ArrayLike<unknown>} counted
   * @returns {Float64Array}
   */
  products(frames, from, channels, counted) {
    const weights = Float64Array.from(this.variances, (variance, joint) =>
      counted[joint] ? Math.fround(1 / variance) : 0,
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0) || Number.MIN_VALUE;
    const given = (joint, axis) => frames[from + joint * channels + axis];
    const wanted = (joint, axis) => this.mean[3 * joint + axis];
    const middle = (place) =>
      [0, 1, 2].map((axis) => {
        let sum = 0;
        weights.forEach((weight, joint) => (sum += place(joint, axis) * weight));
        return sum / total;
      });
    const [here, there] = [middle(given), middle(wanted)];
    const found = new Float64Array(9);
    weights.forEach((weight, joint) => {
      for (let a = 0; a < 3; a += 1) {
        for (let b = 0; b < 3; b += 1) {
          found[3 * a + b] +=
            (given(joint, a) - here[a]) * weight * (wanted(joint, b) - there[b]);
        }
      }
    });
    return found;
  }
}

/** Return the rotation that fits best by least squares (Kabsch); none for joints on a line. */
function rotationOf(given, orientation) {
  const products = Float64Array.from(given);
  if (orientation === "heading") {
    const size = products.reduce((total, value) => total + Math.abs(value), 0);
    for (const place of [1, 3, 5, 7]) products[place] = 0;
    products[4] = size;
  }
  const { left, sizes, right } = singularValues(products);
  if (!(sizes[1] > 1e-6 * sizes[0])) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  // A rotation has the last axes that make both bases right-handed.
  const u = [left[0], left[1], cross(left[0], left[1])];
  const v = [right[0], right[1], cross(right[0], right[1])];
  const turn = [];
  for (let a = 0; a < 3; a += 1) {
    for (let b = 0; b < 3; b += 1) turn.push(u[0][a] * v[0][b] + u[1][a] * v[1][b] + u[2][a] * v[2][b]);
  }
  return turn;
}
