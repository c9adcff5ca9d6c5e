/**
 * Bodies of one sample: where they are seen, and where their sample begins.
 *
 * Shapes are those of `skeletonagent.runtime.body_arrays`: persons M, frames T, joints V,
 * channels C and coordinates D, the last axis nearest in memory.
 * @module
 */

/**
 * Facts about a skeleton, as the description of a recognizer holds them.
 * @typedef {object} LayoutFacts
 * @property {string} name
 * @property {string[]} joints
 * @property {string[]} names Names in words.
 * @property {number[][]} bones
 * @property {number} center
 * @property {number[]} parents
 * @property {number[]} grandparents
 * @property {number[]} mirror
 * @property {number[][]} pairs
 * @property {number[][]} bone_ends
 * @property {number[][]} unseen_bone_sources
 * @property {{upper: number[], lower: number[], trunk: number[][]}} axis_joints
 * @property {number[][]} nth_neighbors
 * @property {number[][]} foot_joints
 * @property {number|null} head
 */

/** Bodies of one sample. */
export class BodyArrays {
  /**
   * @param {number[]} shape M, T, V and C.
   * @param {number} coordinates Number of leading channels that are coordinates.
   * @param {Float32Array} frames Numbers of shape M, T, V, C.
   * @param {Uint8Array} [present] Whether each joint is present, M, T, V; computed by default:
   *     one of its coordinates is not zero.
   */
  constructor(shape, coordinates, frames, present) {
    [this.persons, this.length, this.joints, this.channels] = shape;
    this.coordinates = coordinates;
    this.frames = frames;
    this.present = present ?? this.nonzero();
  }

  /** @returns {number[]} M, T, V and C. */
  get shape() {
    return [this.persons, this.length, this.joints, this.channels];
  }

  /** @returns {Uint8Array} Whether a coordinate of each joint is not zero. */
  nonzero() {
    const found = new Uint8Array(this.persons * this.length * this.joints);
    for (let joint = 0; joint < found.length; joint += 1) {
      const from = joint * this.channels;
      for (let axis = 0; axis < this.coordinates; axis += 1) {
        if (this.frames[from + axis] !== 0) found[joint] = 1;
      }
    }
    return found;
  }

  /** @returns {Uint8Array} Whether each body is seen in each frame, M, T. */
  get visible() {
    const seen = new Uint8Array(this.persons * this.length);
    for (let frame = 0; frame < seen.length; frame += 1) {
      const from = frame * this.joints;
      for (let joint = 0; joint < this.joints; joint += 1) {
        if (this.present[from + joint]) seen[frame] = 1;
      }
    }
    return seen;
  }

  /** @returns {number[]} Number of frames in which each body is seen. */
  get framesSeen() {
    const visible = this.visible;
    return Array.from({ length: this.persons }, (_, body) => {
      let count = 0;
      for (let t = 0; t < this.length; t += 1) count += visible[body * this.length + t];
      return count;
    });
  }

  /**
   * Return the bodies with other coordinates, by a function of the place of a joint.
   * @param {(frames: Float32Array, from: number, joint: number) => void} change Changes the
   *     coordinates that begin at a place; the second number counts joints of all bodies.
   * @returns {BodyArrays}
   */
  changed(change) {
    const frames = this.frames.slice();
    for (let joint = 0; joint < this.present.length; joint += 1) {
      change(frames, joint * this.channels, joint);
    }
    return new BodyArrays(this.shape, this.coordinates, frames, this.present);
  }

  /**
   * Return the bodies with coordinates divided by a size in single precision.
   * @param {number} size
   * @returns {BodyArrays}
   */
  divided(size) {
    const divisor = Math.fround(size);
    return this.changed((frames, from) => {
      for (let axis = 0; axis < this.coordinates; axis += 1) frames[from + axis] /= divisor;
    });
  }

  /**
   * Return some frames by their numbers.
   * @param {number[]} kept
   * @returns {BodyArrays}
   */
  atFrames(kept) {
    const { persons, length, joints, channels } = this;
    const frames = new Float32Array(persons * kept.length * joints * channels);
    const present = new Uint8Array(persons * kept.length * joints);
    for (let body = 0; body < persons; body += 1) {
      kept.forEach((number, place) => {
        const from = (body * length + number) * joints;
        const to = (body * kept.length + place) * joints;
        frames.set(this.frames.subarray(from * channels, (from + joints) * channels), to * channels);
        present.set(this.present.subarray(from, from + joints), to);
      });
    }
    const shape = [persons, kept.length, joints, channels];
    return new BodyArrays(shape, this.coordinates, frames, present);
  }

  /**
   * Return bodies by their numbers.
   * @param {number[]} bodies
   * @returns {BodyArrays}
   */
  inOrder(bodies) {
    const joints = this.length * this.joints;
    const frames = new Float32Array(bodies.length * joints * this.channels);
    const present = new Uint8Array(bodies.length * joints);
    bodies.forEach((body, place) => {
      const size = joints * this.channels;
      frames.set(this.frames.subarray(body * size, (body + 1) * size), place * size);
      present.set(this.present.subarray(body * joints, (body + 1) * joints), place * joints);
    });
    const shape = [bodies.length, this.length, this.joints, this.channels];
    return new BodyArrays(shape, this.coordinates, frames, present);
  }

  /**
   * Return the bodies without the depth between x, y and perhaps a confidence.
   * @returns {BodyArrays}
   */
  flattened() {
    const channels = this.channels - 1;
    const frames = withoutChannel(this.frames, this.channels, 2);
    const shape = [this.persons, this.length, this.joints, channels];
    return new BodyArrays(shape, 2, frames, this.present);
  }

  /**
   * Return the place of each body in each frame, M, T, D, and whether it is seen there.
   *
   * It is the center joint; of a body whose center is never seen, the mean of the joints that it
   * has bones with, or of all joints.
   * @param {LayoutFacts} layout
   * @returns {{points: Float64Array, seen: Uint8Array}}
   */
  centers(layout) {
    const { persons, length, joints, coordinates } = this;
    const points = new Float64Array(persons * length * coordinates);
    const seen = new Uint8Array(persons * length);
    const visible = this.visible;
    for (let body = 0; body < persons; body += 1) {
      let never = true;
      for (let t = 0; t < length; t += 1) {
        const frame = body * length + t;
        const joint = frame * joints + layout.center;
        for (let axis = 0; axis < coordinates; axis += 1) {
          points[frame * coordinates + axis] = this.frames[joint * this.channels + axis];
        }
        seen[frame] = this.present[joint];
        if (seen[frame]) never = false;
      }
      if (!never) continue;
      seen.set(visible.subarray(body * length, (body + 1) * length), body * length);
      if (!this.#isOutside(body, visible)) continue;
      for (let t = 0; t < length; t += 1) this.#setMean(body * length + t, layout, points);
    }
    return { points, seen };
  }

  /** Whether zero lies outside of the joints of a body in some frame. */
  #isOutside(body, visible) {
    for (let frame = body * this.length; frame < (body + 1) * this.length; frame += 1) {
      if (!visible[frame]) continue;
      for (let axis = 0; axis < this.coordinates; axis += 1) {
        let low = Infinity;
        let high = -Infinity;
        for (let joint = frame * this.joints; joint < (frame + 1) * this.joints; joint += 1) {
          if (!this.present[joint]) continue;
          const value = this.frames[joint * this.channels + axis];
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
        if (low > 0 || high < 0) return true;
      }
    }
    return false;
  }

  /** Set the place of a frame to the mean of the joints near its center. */
  #setMean(frame, layout, points) {
    const from = frame * this.joints;
    const isPresent = (joint) => this.present[from + joint];
    const ends = layout.bones.filter((bone) => bone.includes(layout.center)).flat();
    const near = [...new Set(ends)].filter((v) => isPresent(v) && isPresent(layout.mirror[v]));
    const all = layout.joints.map((_, joint) => joint).filter(isPresent);
    const counted = near.length ? near : all;
    for (let axis = 0; axis < this.coordinates; axis += 1) {
      let sum = 0;
      for (const joint of counted) sum += this.frames[(from + joint) * this.channels + axis];
      points[frame * this.coordinates + axis] = Math.fround(sum / Math.max(counted.length, 1));
    }
  }
}

/**
 * Return numbers of which each row lacks one channel.
 * @param {Float32Array} values Rows of so many channels.
 * @param {number} channels
 * @param {number} left Channel that is left out.
 * @returns {Float32Array}
 */
export function withoutChannel(values, channels, left) {
  const rows = values.length / channels;
  const found = new Float32Array(rows * (channels - 1));
  let to = 0;
  for (let from = 0; from < values.length; from += 1) {
    if (from % channels !== left) found[to++] = values[from];
  }
  return found;
}

/**
 * Return means of vectors over the frames that count, and whether any does.
 * @param {(frame: number, column: number, axis: number) => number} value
 * @param {(frame: number, column: number) => number} counted
 * @param {number[]} shape T, K and D.
 * @returns {{means: Float64Array, known: Uint8Array}} K, D and K.
 */
export function frameMeans(value, counted, [frames, columns, axes]) {
  const means = new Float64Array(columns * axes);
  const known = new Uint8Array(columns);
  for (let column = 0; column < columns; column += 1) {
    let count = 0;
    for (let t = 0; t < frames; t += 1) {
      if (!counted(t, column)) continue;
      count += 1;
      for (let axis = 0; axis < axes; axis += 1) {
        means[column * axes + axis] += value(t, column, axis);
      }
    }
    known[column] = count > 0 ? 1 : 0;
    for (let axis = 0; axis < axes; axis += 1) means[column * axes + axis] /= Math.max(count, 1);
  }
  return { means, known };
}
