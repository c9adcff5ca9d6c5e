/**
 * Axes of the bodies of one sample, and rotations to these.
 * @module
 */

import { frameMeans } from "./body_arrays.js";
import { interpolated } from "./filling.js";

/** @typedef {import("./body_arrays.js").BodyArrays} BodyArrays */
/** @typedef {import("./body_arrays.js").LayoutFacts} LayoutFacts */

const sum = (values) => values.reduce((total, value) => total + value, 0);
const squared = (x) => sum(x.map((value) => value * value));
const added = (x, y) => x.map((value, axis) => value + y[axis]);

/**
 * Return a vector divided by its length; one of length zero stays zero.
 * @param {number[]} x
 * @returns {number[]}
 */
export function unitVector(x) {
  const length = Math.max(Math.sqrt(squared(x)), 1e-12);
  return x.map((value) => value / length);
}

/**
 * Return whether a unit vector has a direction.
 * @param {number[]} x
 * @returns {boolean}
 */
export function hasDirection(x) {
  return squared(x) > 0.5;
}

/** Return the part of a vector that is square to a unit vector. */
function squareTo(x, axis) {
  const along = sum(x.map((value, place) => value * axis[place]));
  return x.map((value, place) => value - along * axis[place]);
}

/**
 * Return the vector product of two vectors of three numbers.
 * @param {number[]} a
 * @param {number[]} b
 * @returns {number[]}
 */
export function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/**
 * Return a body's own up, and its own left square to it, as unit vectors.
 * @param {(joint: number) => number[]} place Position of a joint, relative to any point.
 * @param {(joint: number) => boolean|number} known Whether it is known.
 * @param {LayoutFacts} layout
 * @param {number} coordinates
 * @returns {{up: number[], left: number[]}}
 */
export function axesOfPlaces(place, known, layout, coordinates) {
  const { upper, lower, trunk } = layout.axis_joints;
  const zero = () => new Array(coordinates).fill(0);
  const both = (joint) => known(joint) && known(layout.mirror[joint]);
  const meanOf = (joints) => {
    const counted = joints.some(both) ? joints.filter(both) : joints.filter(known);
    const total = counted.reduce((whole, joint) => added(whole, place(joint)), zero());
    return total.map((value) => value / Math.max(counted.length, 1));
  };
  let up = zero();
  if (upper.some(known) && lower.some(known)) {
    const below = meanOf(lower);
    up = meanOf(upper).map((value, axis) => value - below[axis]);
  }
  let left = zero();
  for (const [one, other] of trunk) {
    if (!both(one)) continue;
    const end = place(other);
    left = added(left, place(one).map((value, axis) => value - end[axis]));
  }
  up = unitVector(up);
  return { up, left: unitVector(squareTo(left, up)) };
}

/** Axes that one sample is turned to, as a whole or frame by frame. */
export class SampleAxes {
  /**
   * @param {BodyArrays} bodies Bodies, not centred.
   * @param {LayoutFacts} layout
   * @param {string} origin With `group`, samples of two bodies have the axes of the pair.
   */
  constructor(bodies, layout, origin) {
    this.bodies = bodies;
    this.layout = layout;
    this.origin = origin;
    this.centers = bodies.centers(layout);
    /** Up and left of each body over all its frames; zero where unknown. */
    this.ofBodies = Array.from({ length: bodies.persons }, (_, body) => this.#ofBody(body));
  }

  /**
   * Return the rotation of each frame in single precision, nine numbers each.
   * @param {string} orientation
   * @param {string} per `clip` or `frame`.
   * @returns {Float32Array[]}
   */
  rotations(orientation, per) {
    const { length } = this.bodies;
    const [across, up] = this.#ofSample();
    const turned = rotation(across, up, orientation);
    if (per === "clip") return new Array(length).fill(turned);
    return this.#ofFrames().map(([own, upright]) =>
      hasDirection(own) && hasDirection(upright) ? rotation(own, upright, orientation) : turned,
    );
  }

  /** Place of a joint in a frame relative to the center of its body. */
  #relative(frame, joint) {
    const { joints, channels, coordinates, frames } = this.bodies;
    const from = (frame * joints + joint) * channels;
    return Array.from({ length: coordinates }, (_, axis) =>
      Math.fround(frames[from + axis] - this.centers.points[frame * coordinates + axis]),
    );
  }

  /** Whether a joint counts in a frame. */
  #counts(frame, joint) {
    return this.bodies.present[frame * this.bodies.joints + joint] && this.centers.seen[frame];
  }

  #ofBody(body) {
    const { length, joints, channels, coordinates, frames } = this.bodies;
    const { points } = this.centers;
    const first = body * length;
    const { means, known } = frameMeans(
      (t, joint, axis) =>
        Math.fround(
          frames[((first + t) * joints + joint) * channels + axis] -
            points[(first + t) * coordinates + axis],
        ),
      (t, joint) => this.#counts(first + t, joint),
      [length, joints, coordinates],
    );
    const place = (joint) => [...means.subarray(joint * coordinates, (joint + 1) * coordinates)];
    return axesOfPlaces(place, (joint) => known[joint], this.layout, coordinates);
  }

  /** Number of the first body whose axes are known, 0 if there is none. */
  get #measured() {
    const known = ({ up, left }) => hasDirection(up) && hasDirection(left);
    return Math.max(0, this.ofBodies.findIndex(known));
  }

  /** Axes along x and y of the sample; zero where they cannot be measured. */
  #ofSample() {
    const { up, left } = this.ofBodies[this.#measured];
    if (this.origin !== "group") return [left, up];
    const line = this.#line();
    const seen = line.filter((way) => way !== null);
    const total = seen.reduce(added, [0, 0, 0]);
    const mean = total.map((value) => value / Math.max(seen.length, 1));
    const ups = this.ofBodies.reduce((whole, one) => added(whole, one.up), [0, 0, 0]);
    return preferPair(mean, ups, left, up);
  }

  /** Way from the first to the second body in each frame; null where one is not seen. */
  #line() {
    const { persons, length, coordinates } = this.bodies;
    const { points, seen } = this.centers;
    return Array.from({ length }, (_, t) => {
      if (persons < 2 || !seen[t] || !seen[length + t]) return null;
      return Array.from({ length: coordinates }, (_unused, axis) =>
        Math.fround(points[(length + t) * coordinates + axis] - points[t * coordinates + axis]),
      );
    });
  }

  /** Axes along x and y in each frame, interpolated over those that do not count. */
  #ofFrames() {
    const axes = this.ofBodies.map((_, body) => this.#axesOfBody(body));
    const measured = axes[this.#measured];
    const own = measured.map(({ left, up }) => [unitVector(squareTo(left, up)), up]);
    if (this.origin !== "group") return own;
    const line = this.#line();
    const known = Uint8Array.from(line, (way) => (way === null ? 0 : 1));
    const values = Float64Array.from(line.flatMap((way) => way ?? [0, 0, 0]));
    const any = known.some(Boolean);
    const ways = interpolated(values, known, [line.length, 1, 3], [0, line.length - 1]);
    return own.map(([across, up], t) => {
      const way = any ? [...ways.subarray(3 * t, 3 * t + 3)] : [0, 0, 0];
      const ups = axes.reduce((whole, ofBody) => added(whole, ofBody[t].up), [0, 0, 0]);
      return preferPair(way, ups, across, up);
    });
  }

  /** Left and up of a body in each frame; zero if no frame counts. */
  #axesOfBody(body) {
    const { length } = this.bodies;
    const { upper, lower, trunk } = this.layout.axis_joints;
    const frames = Array.from({ length }, (_, t) => body * length + t);
    const needed = [...new Set([...upper, ...lower, ...trunk.flat()])].filter((joint) =>
      frames.some((frame) => this.#counts(frame, joint)),
    );
    const own = frames.map((frame) =>
      axesOfPlaces(
        (joint) => this.#relative(frame, joint),
        (joint) => this.#counts(frame, joint),
        this.layout,
        this.bodies.coordinates,
      ),
    );
    const whole = own.map(
      ({ up, left }, t) =>
        needed.every((joint) => this.#counts(frames[t], joint)) &&
        hasDirection(up) &&
        hasDirection(left),
    );
    const known = Uint8Array.from(whole.flatMap((flag) => [Number(flag), Number(flag)]));
    const values = Float64Array.from(own.flatMap(({ up, left }) => [...left, ...up]));
    const filled = interpolated(values, known, [length, 2, 3], [0, length - 1]);
    const ever = Number(whole.some(Boolean));
    const vector = (from) => unitVector([...filled.subarray(from, from + 3)]).map((x) => x * ever);
    return frames.map((_, t) => ({ left: vector(6 * t), up: vector(6 * t + 3) }));
  }
}

/** Return the axes of a pair of bodies where they are known, else a body's own axes. */
function preferPair(line, up, across, ownUp) {
  const [upright, way] = [unitVector(up), unitVector(line)];
  const pair = hasDirection(upright) && hasDirection(unitVector(squareTo(way, upright)));
  return pair ? [way, upright] : [across, ownUp];
}

/** Return the rotation that brings axes to x and y, row by row; none where they are unknown. */
function rotation(across, up, orientation) {
  let known = hasDirection(across) && hasDirection(up);
  const upright = orientation === "heading" ? [0, 1, 0] : up;
  const side = unitVector(squareTo(across, upright));
  known = known && hasDirection(side);
  return Float32Array.from(
    known ? [...side, ...upright, ...cross(side, upright)] : [1, 0, 0, 0, 1, 0, 0, 0, 1],
  );
}

/**
 * Return bodies of which the joints of each frame are rotated.
 * @param {BodyArrays} bodies
 * @param {Float32Array[]} rotations
 * @returns {BodyArrays}
 */
export function turnedJoints(bodies, rotations) {
  const { length, joints } = bodies;
  return bodies.changed((frames, from, joint) => {
    const turn = rotations[Math.floor(joint / joints) % length];
    const [x, y, z] = frames.subarray(from, from + 3);
    for (let axis = 0; axis < 3; axis += 1) {
      const [a, b, c] = turn.subarray(3 * axis, 3 * axis + 3);
      frames[from + axis] =
        Math.fround(Math.fround(x * a) + Math.fround(y * b)) + Math.fround(z * c);
    }
  });
}
