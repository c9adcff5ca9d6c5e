/**
 * Landmark model of BlazePose: 33 landmarks of the person in a region.
 * @module
 */

import { crop, isValid, personRegion, toImage } from "./regions.js";

/** @typedef {import("./regions.js").Region} Region */

/**
 * Landmarks of one person in one picture.
 * @typedef {object} BodyLandmarks
 * @property {Float64Array} points V, 2 in pixels.
 * @property {Float64Array} world V, 3 in metres from the middle of the hips.
 * @property {Float64Array} confidence V.
 * @property {number} score
 * @property {Region} region Where to look for the person in the next picture.
 */

const RANGE = { scale: 1 / 255, shift: 0 };
const NUMBERS = 5;

/** Model of the landmarks of a person. */
export class LandmarkModel {
  #model;
  #facts;
  #scale;

  /**
   * @param {import("./pose_model.js").PoseModel} model BlazePose's landmark model, whose outputs
   *     are landmarks, presence, heat and places in metres.
   * @param {any} facts Constants of pose estimation, see `page/pose_facts.py`.
   */
  constructor(model, { landmarks, regions }) {
    this.#model = model;
    this.#facts = landmarks;
    this.#scale = regions.person_scale;
  }

  /**
   * Return the landmarks of the person in a region, null if there is no person.
   * @param {import("./regions.js").Picture} image
   * @param {Region} region
   * @returns {Promise<BodyLandmarks|null>}
   */
  async locate(image, region) {
    if (!isValid(region)) return null;
    const { side, min_presence: least } = this.#facts;
    const square = crop(image, region, side, true, RANGE);
    const [landmarks, presence, heat, world] = await this.#model.run(square, side);
    if (!(presence[0] >= least)) return null;
    return this.decoded(landmarks, heat, world, presence[0], region);
  }

  /**
   * Return landmarks in the picture from the outputs of the model.
   * @param {Float32Array} landmarks
   * @param {Float32Array} heat
   * @param {Float32Array} world
   * @param {number} score
   * @param {Region} region
   * @returns {BodyLandmarks}
   */
  decoded(landmarks, heat, world, score, region) {
    const { side, landmarks: count, middle, rim } = this.#facts;
    const shares = new Float64Array((landmarks.length / NUMBERS) * 2);
    for (let k = 0; k < shares.length; k += 1) {
      shares[k] = landmarks[(k >> 1) * NUMBERS + (k & 1)] / side;
    }
    const refined = refine(shares, heat, this.#facts);
    const places = new Float64Array(shares.length);
    for (let v = 0; v < shares.length / 2; v += 1) {
      places.set(toImage(region, refined[2 * v], refined[2 * v + 1]), 2 * v);
    }
    const [cos, sin] = [Math.cos(region.angle), Math.sin(region.angle)];
    const metres = Float64Array.from(world.subarray(0, 3 * count));
    const confidence = new Float64Array(count);
    for (let v = 0; v < count; v += 1) {
      const [x, y] = metres.subarray(3 * v, 3 * v + 2);
      metres.set([cos * x - sin * y, sin * x + cos * y], 3 * v);
      confidence[v] = sigmoid(Math.min(landmarks[v * NUMBERS + 3], landmarks[v * NUMBERS + 4]));
    }
    const at = (place) => places.subarray(2 * place, 2 * place + 2);
    return {
      points: places.slice(0, 2 * count),
      world: metres,
      confidence,
      score: Math.min(score, 1),
      region: personRegion(at(middle), at(rim), this.#scale),
    };
  }
}

/**
 * Return landmarks moved to the middle of the heat around them, where that is hot enough.
 * @param {Float64Array} shares Places as shares of the region's sides.
 * @param {Float32Array} heat Logits of where each landmark is, H, W, N.
 * @param {any} facts Constants of the landmark model.
 * @returns {Float64Array}
 */
export function refine(shares, heat, { window, min_heat: least }) {
  const number = shares.length / 2;
  const side = Math.sqrt(heat.length / number);
  const refined = shares.slice();
  for (let v = 0; v < number; v += 1) {
    const [column, row] = [shares[2 * v] * side, shares[2 * v + 1] * side].map(Math.trunc);
    if (!(column >= 0 && column < side && row >= 0 && row < side)) continue;
    let [hottest, total, across, down] = [0, 0, 0, 0];
    for (let y = Math.max(0, row - window); y <= Math.min(side - 1, row + window); y += 1) {
      for (let x = Math.max(0, column - window); x <= Math.min(side - 1, column + window); x += 1) {
        const warm = sigmoid(heat[(y * side + x) * number + v]);
        hottest = Math.max(hottest, warm);
        total += warm;
        across += warm * x;
        down += warm * y;
      }
    }
    if (hottest >= least) refined.set([across / total / side, down / total / side], 2 * v);
  }
  return refined;
}

const sigmoid = (logit) => 1 / (1 + Math.exp(-Math.min(Math.max(logit, -100), 100)));
