/**
 * Tracker of persons: one number for a person from picture to picture, by keypoint similarity.
 * @module
 */

import { median } from "../engine/numbers.js";
import { leastCostColumns } from "./assignment.js";

/**
 * Person that was seen before.
 * @typedef {object} PoseTrack
 * @property {number} number
 * @property {Float64Array} points Joints in pixels, where they were seen last.
 * @property {Float64Array} confidence
 * @property {number} time Moment of that picture, in seconds.
 * @property {[number, number]} speed Motion of the body in pixels a second.
 * @property {number} pictures Number of pictures in which the person was seen.
 */

/** Numbers of persons from picture to picture. */
export class PersonTracker {
  #facts;
  #tracks = [];
  #count = 0;

  /** @param {any} facts Constants of the tracker, see `page/pose_facts.py`. */
  constructor(facts) {
    this.#facts = facts;
  }

  /**
   * Return the number of each person in a picture, counted from 1.
   * @param {{points: Float64Array, confidence: Float64Array}[]} bodies
   * @param {number} time Moment of the picture in seconds, later than the last one.
   * @returns {number[]}
   */
  update(bodies, time) {
    const { max_gap: longest, brief, min_similarity: least } = this.#facts;
    this.#tracks = this.#tracks.filter((track) => time - track.time <= longest);
    const tracks = [...this.#tracks];
    const similarity = bodies.map((body) => tracks.map((track) => this.#similarity(track, body, time)));
    const lasting = tracks.map(({ pictures }) => pictures / (pictures + brief));
    const cost = similarity.map((row) => row.map((value, k) => -value * lasting[k]));
    const columns = leastCostColumns(cost, tracks.length);
    return bodies.map((body, row) => {
      const column = columns[row];
      const isKnown = column >= 0 && similarity[row][column] >= least;
      return this.#follow(isKnown ? tracks[column] : null, body, time);
    });
  }

  #similarity(track, body, time) {
    const { seen, spread, spread_growth: growth } = this.#facts;
    const since = time - track.time;
    const compared = (v) => body.confidence[v] >= seen && track.confidence[v] >= seen;
    const expected = track.points.map((value, k) => value + track.speed[k & 1] * since);
    const wide = spread * (1 + growth * since);
    return Math.max(
      ...[track.points, expected].map((place) => keypointSimilarity(place, body.points, wide, compared)),
    );
  }

  #follow(track, { points, confidence }, time) {
    if (track === null) {
      this.#count += 1;
      this.#tracks.push({ number: this.#count, points, confidence, time, speed: [0, 0], pictures: 1 });
      return this.#count;
    }
    const moved = points.map((value, k) => value - track.points[k]);
    const whole = [...moved.keys()].filter((k) => Number.isFinite(moved[k]) && Number.isFinite(moved[k ^ 1]));
    if (whole.length && time > track.time) {
      const along = (axis) => median(whole.filter((k) => (k & 1) === axis).map((k) => moved[k]));
      track.speed = [along(0) / (time - track.time), along(1) / (time - track.time)];
    }
    Object.assign(track, { points, confidence, time, pictures: track.pictures + 1 });
    return track.number;
  }
}

/**
 * Return how alike two poses in one picture are, from 0 to 1: COCO's object keypoint similarity.
 * @param {Float64Array} one Joints in pixels; NaN where a joint was not seen.
 * @param {Float64Array} two
 * @param {number} spread Distance over body size that is small.
 * @param {(joint: number) => boolean} [compared] Returns whether a joint counts.
 * @returns {number}
 */
export function keypointSimilarity(one, two, spread, compared = () => true) {
  const area = Math.max(Math.sqrt(boxArea(one) * boxArea(two)), 1);
  let [sum, count] = [0, 0];
  for (let v = 0; v < one.length / 2; v += 1) {
    const distance = (one[2 * v] - two[2 * v]) ** 2 + (one[2 * v + 1] - two[2 * v + 1]) ** 2;
    if (Number.isNaN(distance) || !compared(v)) continue;
    sum += Math.exp(-distance / (2 * spread ** 2 * area));
    count += 1;
  }
  return count ? sum / count : 0;
}

/** Return the area of a body's box; a body seen from its side or end is no line. */
function boxArea(points) {
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (let k = 0; k < points.length; k += 1) {
    if (Number.isNaN(points[k]) || Number.isNaN(points[k ^ 1])) continue;
    low[k & 1] = Math.min(low[k & 1], points[k]);
    high[k & 1] = Math.max(high[k & 1], points[k]);
  }
  const [width, height] = [high[0] - low[0], high[1] - low[1]].map((size) => Math.max(size, 0));
  return Math.max(width, height / 3) * Math.max(height, width / 3);
}
