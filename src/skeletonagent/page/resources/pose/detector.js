/**
 * Person detector of BlazePose: anchors, boxes, and tiles for small persons.
 * @module
 */

import { linspace } from "../engine/numbers.js";
import { crop, isValid, personRegion, toImage } from "./regions.js";

/** @typedef {import("./regions.js").Region} Region */
/** @typedef {{region: Region, score: number}} PersonDetection */

const RANGE = { scale: 1 / 127.5, shift: -1 };
const NUMBERS = 12;

/** Detector of persons in a picture. */
export class PersonDetector {
  #model;
  #facts;
  #scale;
  #anchors;

  /**
   * @param {import("./pose_model.js").PoseModel} model BlazePose's detection model.
   * @param {any} facts Constants of pose estimation, see `page/pose_facts.py`.
   */
  constructor(model, { detector, regions }) {
    this.#model = model;
    this.#facts = detector;
    this.#scale = regions.person_scale;
    this.#anchors = anchorCentres(detector.grids);
  }

  /**
   * Return the persons of a picture, the surest first.
   * @param {import("./regions.js").Picture} image
   * @param {number} levels 1 looks at the whole picture alone; each further level looks at tiles of
   *     half the side too.
   * @returns {Promise<PersonDetection[]>}
   */
  async detect(image, levels = 1) {
    const [whole, ...parts] = tiles(image.height, image.width, levels, this.#facts);
    const found = await this.#look(image, whole);
    for (const tile of parts) {
      const seen = await this.#look(image, tile);
      found.push(...seen.filter(({ region }) => region.size < this.#facts.largest * tile.size));
    }
    const persons = [];
    for (const person of found.sort((a, b) => b.score - a.score)) {
      if (!persons.some(({ region }) => isNear(person.region, region, this.#facts))) persons.push(person);
    }
    return persons;
  }

  /** Return the persons that a tile shows. */
  async #look(image, tile) {
    const { side } = this.#facts;
    const [raw, logits] = await this.#model.run(crop(image, tile, side, false, RANGE), side);
    return this.merged(this.decoded(raw, logits, tile));
  }

  /**
   * Return the detections above the least score: score, box, middle of the hips and rim.
   * @param {Float32Array} raw
   * @param {Float32Array} logits
   * @param {Region} tile
   * @returns {number[][]}
   */
  decoded(raw, logits, tile) {
    const { min_score: least, side } = this.#facts;
    const rows = [];
    logits.forEach((logit, place) => {
      const score = 1 / (1 + Math.exp(-Math.min(Math.max(logit, -100), 100)));
      if (!(score >= least)) return;
      const own = Array.from(raw.subarray(place * NUMBERS, place * NUMBERS + 8), (value) => value / side);
      const [x, y] = this.#anchors[place];
      const [left, top] = [own[0] + x - own[2] / 2, own[1] + y - own[3] / 2];
      const ends = [[left, top], [left + own[2], top + own[3]], [own[4] + x, own[5] + y], [own[6] + x, own[7] + y]];
      rows.push([score, ...ends.flatMap(([across, down]) => toImage(tile, across, down))]);
    });
    return rows;
  }

  /**
   * Return one detection for each person: the mean of those that overlap, weighted by score.
   * @param {number[][]} rows
   * @returns {PersonDetection[]}
   */
  merged(rows) {
    let waiting = [...rows].sort((a, b) => b[0] - a[0]);
    const persons = [];
    while (waiting.length) {
      const [first] = waiting;
      const same = waiting.filter((row) => row === first || overlap(first, row) > this.#facts.min_overlap);
      const total = same.reduce((sum, row) => sum + row[0], 0);
      const mean = [5, 6, 7, 8].map((k) => same.reduce((sum, row) => sum + row[0] * row[k], 0) / total);
      const region = personRegion(mean.slice(0, 2), mean.slice(2), this.#scale);
      if (isValid(region)) persons.push({ region, score: first[0] });
      waiting = waiting.filter((row) => !same.includes(row));
    }
    return persons;
  }
}

/**
 * Return whether two regions are so alike that they hold one person.
 * @param {Region} one
 * @param {Region} two
 * @param {any} facts Constants of the detector.
 * @returns {boolean}
 */
export function isNear(one, two, { near, alike }) {
  const [small, large] = [Math.min(one.size, two.size), Math.max(one.size, two.size)];
  return large < alike * small && Math.hypot(one.x - two.x, one.y - two.y) < near * small;
}

/**
 * Return the squares that the detector looks at: the whole picture, then ever smaller ones.
 * @param {number} height
 * @param {number} width
 * @param {number} levels
 * @param {any} facts Constants of the detector.
 * @returns {Region[]}
 */
export function tiles(height, width, levels, facts) {
  let size = Math.max(height, width);
  const regions = [{ x: width / 2, y: height / 2, size, angle: 0 }];
  for (let level = 1; level < levels; level += 1) {
    size /= 2;
    if (size < facts.smallest_tile) break;
    for (const y of centres(height, size, facts)) {
      for (const x of centres(width, size, facts)) regions.push({ x, y, size, angle: 0 });
    }
  }
  return regions;
}

function centres(length, side, { tile_overlap: shared }) {
  if (length <= side) return [length / 2];
  const count = Math.ceil((length - side) / (side * (1 - shared))) + 1;
  return [...linspace(side / 2, length - side / 2, count)];
}

/**
 * Return the levels at which persons of a height are at least a fifth of a tile.
 * @param {number} height
 * @param {number} width
 * @param {number} person Height of the smallest persons in pixels.
 * @param {any} facts Constants of the detector.
 * @returns {number}
 */
export function tileLevels(height, width, person, { smallest_tile: smallest }) {
  let [side, levels] = [Math.max(height, width), 1];
  while (5 * person < side && side / 2 >= smallest) [side, levels] = [side / 2, levels + 1];
  return levels;
}

/** Return the centres of the detector's anchors as shares of its picture. */
function anchorCentres(grids) {
  return grids.flatMap(([cells, repeats]) =>
    Array.from({ length: cells * cells * repeats }, (_, place) => {
      const cell = Math.floor(place / repeats);
      return [((cell % cells) + 0.5) / cells, (Math.floor(cell / cells) + 0.5) / cells];
    }),
  );
}

/** Return intersection over union of two boxes. */
function overlap(one, two) {
  const area = ([, left, top, right, bottom]) => Math.max(right - left, 0) * Math.max(bottom - top, 0);
  const shared = area([0, Math.max(one[1], two[1]), Math.max(one[2], two[2]), Math.min(one[3], two[3]), Math.min(one[4], two[4])]);
  const union = area(one) + area(two) - shared;
  return union > 0 ? shared / union : 0;
}
