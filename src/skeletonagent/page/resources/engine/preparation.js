/**
 * Preprocessing of one sample: gaps, added joints, scale, origin and orientation.
 *
 * The numbers are those of `skeletonagent.runtime.preparation`.
 * @module
 */

import { BodyArrays } from "./body_arrays.js";
import { meanBoneSize, rmsSize } from "./body_size.js";
import { SampleAxes, hasDirection, turnedJoints } from "./body_turns.js";
import { withoutGaps } from "./filling.js";
import { joinedBodies, leadingFirst } from "./person_joining.js";

/** @typedef {import("./body_arrays.js").LayoutFacts} LayoutFacts */

/** Sample after preprocessing, of which clips are taken. */
export class PreparedSample {
  /**
   * @param {BodyArrays} bodies
   * @param {LayoutFacts} layout Joints and bones, which may be more than were stored.
   * @param {boolean} marksPresent Whether absent joints are told from those at zero.
   * @param {boolean} dropsDepth Whether clips show x and y alone.
   */
  constructor(bodies, layout, marksPresent, dropsDepth) {
    this.bodies = bodies;
    this.layout = layout;
    this.marksPresent = marksPresent;
    this.dropsDepth = dropsDepth;
  }

  /** @returns {BodyArrays} Bodies as clips show them. */
  get withoutDepth() {
    return this.dropsDepth ? this.bodies.flattened() : this.bodies;
  }

  /**
   * Return the sample with other bodies.
   * @param {BodyArrays} bodies
   * @returns {PreparedSample}
   */
  withBodies(bodies) {
    return new PreparedSample(bodies, this.layout, this.marksPresent, this.dropsDepth);
  }
}

/**
 * Settings of a data set that preprocessing follows.
 * @typedef {object} DataSettings
 * @property {string} origin
 * @property {string} scale
 * @property {string} orientation
 * @property {string} orientation_per
 * @property {string} gaps
 * @property {string} imputation
 * @property {string} absent_rule
 * @property {string|number} dims
 * @property {string} storage_dtype
 */

/** Values of settings that this engine follows. */
export const KNOWN_DATA_SETTINGS = {
  origin: ["person", "group", "none"],
  scale: ["none", "image", "body"],
  orientation: ["camera", "heading", "body"],
  orientation_per: ["clip", "frame"],
  gaps: ["keep", "interpolate"],
  imputation: ["none", "pose"],
  absent_rule: ["masked", "zero"],
  dims: ["auto", 2],
  storage_dtype: ["float32"],
};

/** Preprocessing of single samples before clips are taken from them. */
export class SamplePreparation {
  /**
   * @param {DataSettings} settings
   * @param {LayoutFacts} layout Joints and bones as stored.
   * @param {LayoutFacts} fullLayout Joints and bones after preprocessing.
   * @param {{hips: number[], shoulders: number[]}|null} middles Joints whose middles are added;
   *     null if none is.
   * @param {number} coordinates Number of leading channels that are coordinates.
   */
  constructor(settings, layout, fullLayout, middles, coordinates) {
    this.settings = settings;
    this.layout = layout;
    this.fullLayout = fullLayout;
    this.middles = middles;
    this.coordinates = coordinates;
  }

  get #masked() {
    return this.settings.absent_rule === "masked";
  }

  /**
   * Return a sample with the joints of its layout, scaled, centred and turned.
   * @param {number[]} shape M, T, V and C.
   * @param {Float32Array} joints Zeros where they are absent.
   * @param {number[]|null} imageSize Width and height, if coordinates are divided by them.
   * @returns {PreparedSample}
   */
  prepare(shape, joints, imageSize = null) {
    let bodies = new BodyArrays(shape, this.coordinates, joints);
    if (this.#masked && bodies.persons > 1) bodies = leadingFirst(bodies, joinedBodies(bodies));
    if (this.settings.gaps === "interpolate") bodies = withoutGaps(bodies, this.layout);
    if (this.middles) bodies = withMiddles(bodies, this.middles, this.#masked);
    return this.placed(bodies, this.settings, imageSize);
  }

  /**
   * Return bodies with all their joints scaled, centred and turned.
   * @param {BodyArrays} given Bodies with all joints of the full layout.
   * @param {DataSettings} settings
   * @param {number[]|null} imageSize
   * @returns {PreparedSample}
   */
  placed(given, settings, imageSize = null) {
    const flat = settings.dims === 2 && given.coordinates === 3;
    let bodies = given;
    if (!flat) bodies = this.#scaled(bodies, settings, imageSize);
    const orientation = orientationOf(settings, bodies.coordinates);
    if (settings.origin !== "none" || orientation !== "camera" || settings.dims === 2) {
      bodies = this.#moved(bodies, settings, orientation);
    }
    return new PreparedSample(bodies, this.fullLayout, this.#masked, flat);
  }

  #scaled(bodies, settings, imageSize) {
    if (settings.scale === "none") return bodies;
    if (settings.scale === "body") return bodies.divided(meanBoneSize(bodies, this.fullLayout));
    return bodies.divided(imageSize === null ? rmsSize(bodies) : Math.max(...imageSize));
  }

  #moved(bodies, settings, orientation) {
    const { led, origin } = this.#led(bodies, settings);
    let placed = origin === null ? led : shifted(led, origin);
    if (orientation !== "camera") {
      const axes = new SampleAxes(led, this.fullLayout, settings.origin);
      placed = turnedJoints(placed, axes.rotations(orientation, settings.orientation_per));
    }
    if (settings.dims !== 2) return placed;
    placed = upright(placed, this.fullLayout);
    return placed.coordinates === 3 ? this.#scaledInPlane(placed, settings) : placed;
  }

  /** Return the frames that stay, and the origin; null for no centring. */
  #led(bodies, settings) {
    if (settings.origin === "none") return { led: bodies, origin: null };
    if (this.#masked) {
      const led = framesOfSomebody(bodies);
      return { led, origin: seenOrigin(led, this.fullLayout, settings.origin) };
    }
    const led = ledFrames(bodies);
    return { led, origin: firstFrameOrigin(led, this.fullLayout.center, settings.origin) };
  }

  #scaledInPlane(bodies, settings) {
    if (settings.scale === "none") return bodies;
    const plane = bodies.flattened();
    const isBody = settings.scale === "body";
    return bodies.divided(isBody ? meanBoneSize(plane, this.fullLayout) : rmsSize(plane));
  }
}

/** Return the axes that samples are turned to; joints of pictures stay as they are. */
function orientationOf(settings, coordinates) {
  return settings.dims === 2 && coordinates === 2 ? "camera" : settings.orientation;
}

/** Return the frames in which a body is seen; all if none ever is. */
function framesOfSomebody(bodies) {
  const { persons, length, visible } = bodies;
  const kept = [];
  for (let t = 0; t < length; t += 1) {
    for (let body = 0; body < persons; body += 1) {
      if (!visible[body * length + t]) continue;
      kept.push(t);
      break;
    }
  }
  return kept.length && kept.length < length ? bodies.atFrames(kept) : bodies;
}

/** Return the frames with the leading body, as first body; all if it is never present. */
function ledFrames(bodies) {
  const counts = bodies.framesSeen;
  const led = counts.length === 2 && counts[0] < counts[1] ? bodies.inOrder([1, 0]) : bodies;
  const visible = led.visible;
  const kept = Array.from({ length: led.length }, (_, t) => t).filter((t) => visible[t]);
  return kept.length ? led.atFrames(kept) : led;
}

/** Return the mean of points in single precision. */
function meanPoint(points) {
  const total = new Float32Array(points[0].length);
  for (const point of points) {
    for (let axis = 0; axis < total.length; axis += 1) total[axis] += point[axis];
  }
  return total.map((value) => value / points.length);
}

/** Return the origin in the first frame in which the place of the leading body is seen. */
function seenOrigin(bodies, layout, origin) {
  const { persons, length, coordinates } = bodies;
  const { points, seen } = bodies.centers(layout);
  const lead = Math.max(0, bodies.framesSeen.findIndex((count) => count > 0));
  const frame = seen.subarray(lead * length, (lead + 1) * length).findIndex(Boolean);
  if (frame < 0) return new Float32Array(coordinates);
  const numbers = Array.from({ length: persons }, (_, body) => body);
  const chosen = origin === "group" ? numbers : [lead];
  return meanPoint(
    chosen
      .map((body) => body * length + frame)
      .filter((place) => seen[place])
      .map((place) => points.subarray(place * coordinates, (place + 1) * coordinates)),
  );
}

/** Return the origin in the first frame; zero if the first body is absent there. */
function firstFrameOrigin(bodies, center, origin) {
  const { persons, length, joints, channels, coordinates, frames, visible } = bodies;
  if (!visible[0]) return new Float32Array(coordinates);
  const numbers = Array.from({ length: persons }, (_, body) => body);
  const chosen = origin === "group" ? numbers : [0];
  return meanPoint(
    chosen
      .filter((body) => visible[body * length])
      .map((body) => (body * length * joints + center) * channels)
      .map((from) => frames.subarray(from, from + coordinates)),
  );
}

/** Return the bodies relative to a point; absent joints stay as they are. */
function shifted(bodies, point) {
  return bodies.changed((frames, from, joint) => {
    if (!bodies.present[joint]) return;
    for (let axis = 0; axis < point.length; axis += 1) frames[from + axis] -= point[axis];
  });
}

const CLEARLY_UPRIGHT = 0.3;

/** Return bodies whose y points up by the way from the legs to the head. */
function upright(bodies, layout) {
  const ups = new SampleAxes(bodies, layout, "person").ofBodies.map(({ up }) => up);
  const known = Math.max(1, ups.filter(hasDirection).length);
  const along = ups.reduce((total, up) => total + up[1], 0) / known;
  const limit = bodies.coordinates === 2 ? CLEARLY_UPRIGHT : -CLEARLY_UPRIGHT;
  if (!(along < limit)) return bodies;
  return bodies.changed((frames, from) => {
    for (let axis = 1; axis < bodies.coordinates; axis += 1) frames[from + axis] *= -1;
  });
}

/**
 * Return bodies with the middles of hips and shoulders, and the thorax between them.
 * @param {BodyArrays} bodies
 * @param {{hips: number[], shoulders: number[]}} ends
 * @param {boolean} ofSeenJoints Whether a middle is absent where one of its ends is.
 * @returns {BodyArrays}
 */
export function withMiddles(bodies, { hips, shoulders }, ofSeenJoints) {
  const { persons, length, joints, channels, coordinates } = bodies;
  const count = persons * length;
  const frames = new Float32Array(count * (joints + 3) * channels);
  const seen = bodies.nonzero();
  for (let frame = 0; frame < count; frame += 1) {
    const from = frame * joints;
    const to = frame * (joints + 3);
    frames.set(bodies.frames.subarray(from * channels, (from + joints) * channels), to * channels);
    const middle = ([left, right]) =>
      bodies.frames
        .slice((from + left) * channels, (from + left + 1) * channels)
        .map((value, axis) => Math.fround(value + bodies.frames[(from + right) * channels + axis]) / 2);
    const isSeen = ([left, right]) => seen[from + left] && seen[from + right];
    const [low, high] = [middle(hips), middle(shoulders)];
    const thorax = low.map((value, axis) => Math.fround(value + high[axis]) / 2);
    const there = [isSeen(hips), isSeen(hips) && isSeen(shoulders), isSeen(shoulders)];
    [low, thorax, high].forEach((point, place) => {
      if (ofSeenJoints && !there[place]) return;
      frames.set(point, (to + joints + place) * channels);
    });
  }
  return new BodyArrays([persons, length, joints + 3, channels], coordinates, frames);
}
