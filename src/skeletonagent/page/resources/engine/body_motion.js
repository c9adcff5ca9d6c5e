/**
 * Motion features of the joints of one body, in terms of the body itself.
 *
 * The order is that of `MotionFeature`: height, reach, outward, head distance, gap, speed, vertical
 * range, horizontal range, net vertical, net lateral, signed area, symmetry.
 * @module
 */

import { axesOfPlaces } from "./body_turns.js";

/** @typedef {import("./body_arrays.js").BodyArrays} BodyArrays */
/** @typedef {import("./body_arrays.js").LayoutFacts} LayoutFacts */

/** Number of features of a joint. */
export const FEATURES = 12;

/**
 * Features of the joints of a body.
 * @typedef {object} MotionFeatures
 * @property {Float64Array} values V, Q; 0 where unknown.
 * @property {Uint8Array} known V, Q.
 */

/**
 * Return every feature of every joint of a body.
 * @param {BodyArrays} bodies
 * @param {number} body
 * @param {LayoutFacts} layout
 * @returns {MotionFeatures}
 */
export function motionOfBody(bodies, body, layout) {
  return new MovingBody(bodies, body, layout).measure();
}

/** One body, in mean bone lengths. */
class MovingBody {
  constructor(bodies, body, layout) {
    this.layout = layout;
    [this.t, this.v, this.d] = [bodies.length, bodies.joints, bodies.coordinates];
    const x = new Float64Array(this.t * this.v * this.d);
    const seen = new Uint8Array(this.t * this.v);
    for (let joint = 0; joint < seen.length; joint += 1) {
      const from = (body * seen.length + joint) * bodies.channels;
      for (let axis = 0; axis < this.d; axis += 1) {
        x[joint * this.d + axis] = bodies.frames[from + axis];
        if (bodies.frames[from + axis] !== 0) seen[joint] = 1;
      }
    }
    this.seen = this.#seenWithCenter(seen);
    const size = this.#boneLength(x);
    this.world = x.map((value) => value / size);
    this.relative = this.world.map((value, place) => {
      const frame = Math.floor(place / (this.d * this.v));
      return value - this.world[(frame * this.v + layout.center) * this.d + (place % this.d)];
    });
    const place = this.means(this.relative, this.d, (t, v) => this.sees(t, v));
    this.known = this.#knownJoints();
    const at = (joint) => [...place.subarray(joint * this.d, (joint + 1) * this.d)];
    this.place = place;
    ({ up: this.up, left: this.left } = axesOfPlaces(at, (v) => this.known[v], layout, this.d));
    this.side = new Float64Array(this.v);
    for (const [left, right] of layout.pairs) {
      this.side[left] = 1;
      this.side[right] = -1;
    }
  }

  sees(t, v) {
    return this.seen[t * this.v + v];
  }

  /** Joints do not count in frames without the center, unless it is zero in all of them. */
  #seenWithCenter(seen) {
    const { center } = this.layout;
    let ever = false;
    for (let t = 0; t < this.t; t += 1) if (seen[t * this.v + center]) ever = true;
    if (!ever) return seen;
    return seen.map((flag, joint) =>
      seen[Math.floor(joint / this.v) * this.v + center] ? flag : 0,
    );
  }

  #knownJoints() {
    const known = new Uint8Array(this.v);
    this.seen.forEach((flag, joint) => {
      if (flag) known[joint % this.v] = 1;
    });
    if (known.some(Boolean)) known[this.layout.center] = 1;
    return known;
  }

  #boneLength(x) {
    const [child, parent] = this.layout.bone_ends;
    let total = 0;
    let known = 0;
    child.forEach((one, bone) => {
      let sum = 0;
      let count = 0;
      for (let t = 0; t < this.t; t += 1) {
        if (!this.sees(t, one) || !this.sees(t, parent[bone])) continue;
        sum += this.#distance(x, t, one, parent[bone]);
        count += 1;
      }
      total += sum / Math.max(count, 1);
      known += Number(count > 0);
    });
    const size = total / Math.max(known, 1);
    return Math.fround(size > 0 ? size : 1);
  }

  #distance(x, t, one, other) {
    let square = 0;
    for (let axis = 0; axis < this.d; axis += 1) {
      square += (x[(t * this.v + one) * this.d + axis] - x[(t * this.v + other) * this.d + axis]) ** 2;
    }
    return Math.sqrt(square);
  }

  /**
   * Return the mean of each joint over the frames in which it counts, V, K; 0 if it never does.
   */
  means(values, size, counts, frames = this.t) {
    const found = new Float64Array(this.v * size);
    for (let joint = 0; joint < this.v; joint += 1) {
      let count = 0;
      for (let t = 0; t < frames; t += 1) {
        if (!counts(t, joint)) continue;
        count += 1;
        for (let k = 0; k < size; k += 1) found[joint * size + k] += values[(t * this.v + joint) * size + k];
      }
      for (let k = 0; k < size; k += 1) found[joint * size + k] /= Math.max(count, 1);
    }
    return found;
  }

  /** Return a number for each joint in each frame, T, V. */
  each(measure, frames = this.t) {
    const found = new Float64Array(frames * this.v);
    for (let place = 0; place < found.length; place += 1) {
      found[place] = measure(Math.floor(place / this.v), place % this.v);
    }
    return found;
  }

  /** Return the part of a vector that begins at a joint in a frame along an axis. */
  along(x, t, v, axis) {
    let total = 0;
    for (let k = 0; k < this.d; k += 1) total += x[(t * this.v + v) * this.d + k] * axis[k];
    return total;
  }

  /** Return every feature of every joint. */
  measure() {
    const columns = [...this.#positions(), ...this.#motions()];
    const { mirror, head } = this.layout;
    const values = new Float64Array(this.v * FEATURES);
    const known = new Uint8Array(values.length);
    for (let joint = 0; joint < this.v; joint += 1) {
      const own = this.known[joint];
      const pair = own && this.known[mirror[joint]];
      const toHead = head === null ? own : own && this.known[head];
      const flags = [own, own, own, toHead, pair, own, own, own, own, own, own, pair];
      columns.forEach((column, q) => {
        known[joint * FEATURES + q] = flags[q];
        values[joint * FEATURES + q] = flags[q] ? column[joint] : 0;
      });
    }
    return { values, known };
  }

  #positions() {
    const { mirror, head, center } = this.layout;
    const at = (t, v) => this.sees(t, v);
    const distances = (other) => this.each((t, v) => this.#distance(this.relative, t, v, other(v)));
    const together = (other) => (t, v) => this.sees(t, v) && this.sees(t, other(v));
    const mean = (values, counts) => this.means(values, 1, counts);
    const reach = this.each((t, v) => Math.hypot(...this.#vector(this.relative, t, v)));
    const toHead = head === null ? new Float64Array(this.t * this.v) : distances(() => head);
    const height = this.each((t, v) => this.along(this.place, t, v, this.up), 1);
    const outward = this.each((t, v) => this.along(this.place, t, v, this.left) * this.side[v], 1);
    return [
      height,
      mean(reach, at),
      outward,
      mean(toHead, head === null ? at : together(() => head)),
      mean(distances((v) => mirror[v]), together((v) => mirror[v])),
    ];
  }

  #vector(x, t, v) {
    const from = (t * this.v + v) * this.d;
    return x.subarray(from, from + this.d);
  }

  #motions() {
    const { mirror, center } = this.layout;
    const steps = Math.max(this.t - 1, 0);
    const both = (t, v) => this.sees(t, v) && this.sees(t + 1, v);
    const own = this.#centered(this.relative);
    const world = this.#centered(this.world);
    const [vertical, horizontal] = this.#spread(own);
    const [verticalInWorld, horizontalInWorld] = this.#spread(world);
    const speeds = (x) =>
      this.each((t, v) => (both(t, v) ? this.#step(x, t, v) : 0), steps);
    const speed = speeds(own);
    const mean = (values) => this.means(values, 1, both, steps);
    const smaller = (one, two) =>
      one.map((value, v) => (v === center ? two[v] : Math.min(value, two[v])));
    const power = new Float64Array(this.v);
    const shared = new Float64Array(this.v);
    const area = new Float64Array(this.v);
    const outward = (t, v) => this.along(own, t, v, this.left) * this.side[v];
    const upward = (t, v) => this.along(own, t, v, this.up);
    for (let t = 0; t < steps; t += 1) {
      for (let v = 0; v < this.v; v += 1) {
        const here = speed[t * this.v + v];
        power[v] += here * here;
        shared[v] += here * speed[t * this.v + mirror[v]];
        if (!both(t, v)) continue;
        area[v] += outward(t, v) * upward(t + 1, v) - outward(t + 1, v) * upward(t, v);
      }
    }
    const [rise, way] = [this.#netDisplacement(this.world), this.#netDisplacement(this.relative)];
    return [
      smaller(mean(speed), mean(speeds(world))),
      smaller(vertical, verticalInWorld),
      smaller(horizontal, horizontalInWorld),
      this.each((t, v) => this.along(rise, t, v, this.up), 1),
      this.each((t, v) => this.along(way, t, v, this.left) * this.side[v], 1),
      area.map((value) => value / 2),
      shared.map(
        (value, v) => ((2 * value) / (power[v] + power[mirror[v]] + 1e-6)) * Math.abs(this.side[v]),
      ),
    ];
  }

  #step(x, t, v) {
    const [here, next] = [this.#vector(x, t, v), this.#vector(x, t + 1, v)];
    return Math.hypot(...here.map((value, axis) => next[axis] - value));
  }

  /** Return positions relative to their mean over time, 0 where unseen. */
  #centered(x) {
    const mean = this.means(x, this.d, (t, v) => this.sees(t, v));
    return x.map((value, place) => {
      const joint = Math.floor(place / this.d);
      if (!this.seen[joint]) return 0;
      return value - mean[(joint % this.v) * this.d + (place % this.d)];
    });
  }

  /** Return the spread along and across the body's up. */
  #spread(off) {
    const vertical = this.each((t, v) => this.along(off, t, v, this.up) ** 2);
    const across = this.each((t, v) => {
      const square = this.#vector(off, t, v).reduce((sum, value) => sum + value * value, 0);
      return Math.max(square - vertical[t * this.v + v], 0);
    });
    const root = (values) => this.means(values, 1, (t, v) => this.sees(t, v)).map(Math.sqrt);
    return [root(vertical), root(across)];
  }

  /** Return the mean of the last third minus that of the first, V, D; 0 where one is unseen. */
  #netDisplacement(x) {
    const isFirst = (t, v) => this.sees(t, v) && 3 * t < this.t;
    const isLast = (t, v) => this.sees(t, v) && 3 * (t + 1) > 2 * this.t;
    const [first, last] = [isFirst, isLast].map((counts) => this.means(x, this.d, counts));
    const ever = (counts, v) => Array.from({ length: this.t }, (_, t) => t).some((t) => counts(t, v));
    return last.map((value, place) => {
      const v = Math.floor(place / this.d);
      return ever(isFirst, v) && ever(isLast, v) ? value - first[place] : 0;
    });
  }
}
