/**
 * Pose estimator: the persons of each picture, followed from one picture to the next.
 * @module
 */

import { doMeet, isSought, paintedOver, regionsOfOne } from "./covered.js";
import { isNear, tileLevels } from "./detector.js";
import { isValid } from "./regions.js";
import { PersonTracker, keypointSimilarity } from "./tracker.js";

/** @typedef {import("./landmarks.js").BodyLandmarks} BodyLandmarks */
/** @typedef {import("./regions.js").Picture} Picture */

/**
 * Person in a picture.
 * @typedef {{number: number, body: BodyLandmarks}} PersonPose
 */

/**
 * Body in the present picture.
 * @typedef {object} SeenBody
 * @property {BodyLandmarks} body
 * @property {PersonPose|null} before The person of the last pictures it was found by.
 * @property {boolean} isUncovered Whether it was found in the picture as it is.
 */

const TOLERANCE = 1e-6;

/** Estimator that is given one picture after another, as files and cameras have them. */
export class PoseEstimator {
  #tracker;
  #persons = [];
  #lost = new Map();
  #spans = new Map();
  #image = null;
  #looked = -Infinity;
  #tiled = -Infinity;

  /**
   * @param {import("./detector.js").PersonDetector} detector
   * @param {import("./landmarks.js").LandmarkModel} model
   * @param {any} facts Constants of pose estimation, see `page/pose_facts.py`.
   * @param {{maxPersons: number, smallest: number}} options Largest number of persons to follow, and
   *     height in pixels of the smallest ones to look for.
   */
  constructor(detector, model, facts, { maxPersons, smallest }) {
    this.detector = detector;
    this.model = model;
    this.facts = facts;
    this.maxPersons = maxPersons;
    this.smallest = smallest;
    this.#tracker = new PersonTracker(facts.tracker);
  }

  /**
   * Return the persons of the next picture.
   * @param {Picture} image
   * @param {number} time Its moment in seconds, later than the last one.
   * @returns {Promise<PersonPose[]>}
   */
  async step(image, time) {
    if (this.#image && (image.width !== this.#image.width || image.height !== this.#image.height)) {
      throw new Error("the pictures differ in size");
    }
    const seen = image === this.#image
      ? this.#persons.map(({ body }) => ({ body, before: null, isUncovered: true }))
      : await this.#look(image, time);
    this.#image = image;
    const numbers = this.#tracker.update(seen.map(({ body }) => body), time);
    const lost = this.#persons.map((person) => [person.number, { person, moment: time }]);
    this.#persons = numbers.map((number, place) => ({ number, body: seen[place].body }));
    this.#remember(lost, numbers, seen, time);
    return this.#persons;
  }

  /** Return the bodies in a new picture. */
  async #look(image, time) {
    const seen = await this.#followed(image);
    await this.#addCovered(seen, image, time, []);
    const isLost = seen.length < this.#persons.length;
    const isDue = time - this.#looked >= this.facts.estimator.detection_interval - TOLERANCE;
    if (seen.length < this.maxPersons && (isLost || isDue)) {
      await this.#addCovered(seen, image, time, await this.#addDetected(seen, image, time));
    }
    return seen;
  }

  /** Keep for a while who is lost, and since when each person was seen. */
  #remember(lost, numbers, seen, time) {
    const { tracker, covered } = this.facts;
    const recent = [...new Map([...this.#lost, ...lost])];
    this.#lost = new Map(
      recent.filter(([number, { moment }]) => !numbers.includes(number) && time - moment <= tracker.max_gap),
    );
    numbers.forEach((number, place) => {
      if (!this.#spans.has(number)) this.#spans.set(number, { first: time, uncovered: time });
      if (seen[place].isUncovered) this.#spans.get(number).uncovered = time;
    });
    this.#spans = new Map(
      [...this.#spans].filter(
        ([number, { uncovered }]) => numbers.includes(number) || time - uncovered <= covered.longest_covered,
      ),
    );
  }

  /**
   * Return the persons of the last picture in this one, those known for longer first.
   *
   * Of two who are found at one place, the one whose last pose is more alike is there.
   */
  async #followed(image) {
    const seen = [];
    for (const person of [...this.#persons].sort((a, b) => a.number - b.number)) {
      const body = await this.#located(image, person.body.region);
      if (body === null) continue;
      const here = { body, before: person, isUncovered: true };
      const other = this.#mostAlike(body, seen);
      if (other === null || this.#similarity(other.body, body) < this.facts.estimator.same) {
        seen.push(here);
      } else if (this.#staying(here) > this.#staying(other)) {
        seen[seen.indexOf(other)] = here;
      }
    }
    return seen;
  }

  /** Add persons who were lost beside others, found with these painted over. */
  async #addCovered(seen, image, time, detected) {
    const there = new Set(seen.map(({ before }) => before?.number));
    const missed = this.#persons.map((person) => [person.number, { person }]);
    const sought = [...new Map([...this.#lost, ...missed])].sort(([one], [other]) => one - other);
    for (const [number, { person }] of sought) {
      const span = this.#spans.get(number);
      if (there.has(number) || !span || !isSought(span, time, this.facts.covered)) continue;
      if (seen.length >= this.maxPersons) continue;
      const body = await this.#covered(seen, image, person, detected);
      if (body !== null) seen.push({ body, before: person, isUncovered: false });
    }
  }

  /** Return a person who is covered in part, null if there is none or nobody covers it. */
  async #covered(seen, image, { body: before }, detected) {
    const { covered, estimator } = this.facts;
    const isStill = (body) => this.#similarity(before, body) >= estimator.still;
    const nearBy = seen.filter(({ body }) => doMeet(body.region, before.region, covered));
    const hasReturned = nearBy.some((one) => one.before === null && isStill(one.body));
    if (!nearBy.length || hasReturned) return null;
    const painted = paintedOver(image, nearBy.map(({ body }) => body), this.facts);
    for (const region of regionsOfOne(before.region, detected, covered)) {
      const body = await this.#located(painted, region);
      if (body === null || !isStill(body)) continue;
      if (seen.every((one) => this.#similarity(one.body, body) < estimator.same)) return body;
    }
    return null;
  }

  /** Add the persons whom the detector finds beside those seen; return all regions it finds. */
  async #addDetected(seen, image, time) {
    const { estimator, detector } = this.facts;
    let levels = 1;
    this.#looked = time;
    if (time - this.#tiled >= estimator.tile_interval - TOLERANCE) {
      this.#tiled = time;
      levels = tileLevels(image.height, image.width, this.smallest, detector);
    }
    const regions = (await this.detector.detect(image, levels)).map(({ region }) => region);
    for (const region of regions) {
      if (seen.length >= this.maxPersons) break;
      if (seen.some((other) => isNear(region, other.body.region, detector))) continue;
      const body = await this.#located(image, region);
      if (body === null) continue;
      const isSame = ({ body: other }) =>
        isNear(body.region, other.region, detector) || this.#similarity(other, body) >= estimator.same_new;
      if (!seen.some(isSame)) seen.push({ body, before: null, isUncovered: true });
    }
    return regions;
  }

  /** Return the body in a region, null if there is none that can be followed. */
  async #located(image, region) {
    const body = await this.model.locate(image, region);
    return body && isValid(body.region) ? body : null;
  }

  #similarity(one, two) {
    return keypointSimilarity(one.points, two.points, this.facts.tracker.spread);
  }

  #mostAlike(body, seen) {
    let [best, most] = [null, -Infinity];
    for (const one of seen) {
      const alike = this.#similarity(one.body, body);
      if (alike > most) [best, most] = [one, alike];
    }
    return best;
  }

  /** Return how alike a body is to the pose of the person it was found by. */
  #staying({ body, before }) {
    return before === null ? 0 : this.#similarity(before.body, body);
  }
}
