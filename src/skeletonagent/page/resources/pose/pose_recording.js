/**
 * Recording of the persons in pictures of a constant rate.
 * @module
 */

/** @typedef {import("../engine/recording_input.js").KeypointRecording} KeypointRecording */
/** @typedef {import("./estimator.js").PersonPose} PersonPose */

/** Persons in the pictures of a video, from which recordings in pixels and in metres are made. */
export class VideoPoses {
  /**
   * @param {PersonPose[][]} pictures Persons of each picture.
   * @param {any} facts Constants of pose estimation, see `page/pose_facts.py`.
   * @param {{name: string, fps: number, size: number[], scale: number, warnings: string[]}} about Size
   *     of the video in pixels, its pixels over those of the pictures, and what was assumed of it.
   */
  constructor(pictures, facts, about) {
    this.pictures = pictures;
    this.facts = facts;
    this.about = about;
    const seen = new Map();
    pictures.flat().forEach(({ number }) => seen.set(number, 1 + (seen.get(number) ?? 0)));
    const least = Math.min(pictures.length, Math.max(2, Math.round(facts.estimate.shortest * about.fps)));
    /** @type {number[]} Persons in the order in which they appear, without mistakes of the detector. */
    this.persons = [...seen.keys()].filter((number) => seen.get(number) >= least).sort((a, b) => a - b);
    this.leftOut = seen.size - this.persons.length;
    this.least = least;
  }

  /** @returns {string[]} What was assumed, and what should be said about persons who are missing. */
  get warnings() {
    const words = [...this.about.warnings];
    if (this.leftOut) {
      words.push(`${this.leftOut} person(s) seen in fewer than ${this.least} frames are left out as mistakes of the detector`);
    }
    if (!this.persons.length) {
      const { smallest_person: smallest } = this.facts.estimator;
      words.push(
        `nobody is found in ${this.pictures.length} frame(s); people must be real or look so, upright, and at ` +
          `least ${smallest} pixels high`,
      );
    }
    return words;
  }

  /**
   * Return the recording; where nobody was found, it has one body that is never there.
   * @param {boolean} isWorld Whether joints are in metres around the hips instead of in pixels.
   * @returns {KeypointRecording}
   */
  recording(isWorld) {
    const { layout, landmarks, estimate } = this.facts;
    const { name, fps, size, scale } = this.about;
    const width = isWorld ? 3 : 2;
    const shape = [Math.max(1, this.persons.length), this.pictures.length, landmarks.landmarks, width];
    const joints = new Float64Array(shape.reduce((a, b) => a * b)).fill(NaN);
    const confidence = new Float64Array(joints.length / width);
    this.pictures.forEach((persons, frame) => {
      for (const { number, body } of persons) {
        const row = this.persons.indexOf(number);
        if (row < 0) continue;
        const from = (row * shape[1] + frame) * shape[2];
        const places = seenPlaces(body, isWorld, estimate.min_confidence);
        joints.set(isWorld ? places : places.map((value) => value * scale), from * width);
        confidence.set(body.confidence, from);
      }
    });
    return {
      name, shape, joints, confidence, fps,
      jointNames: null,
      layout: layout.name,
      imageSize: isWorld ? null : size,
      persons: this.persons.length ? this.persons.map(String) : ["1"],
      warnings: this.warnings,
    };
  }
}

/**
 * Return the joints of a body, NaN where they count as not seen.
 * @param {import("./landmarks.js").BodyLandmarks} body
 * @param {boolean} isWorld Whether they are in metres instead of in pixels.
 * @param {number} least Confidence from which a joint counts as seen.
 * @returns {Float64Array}
 */
export function seenPlaces({ points, world, confidence }, isWorld, least) {
  const [values, width] = isWorld ? [world, 3] : [points, 2];
  return values.map((value, k) => (confidence[Math.floor(k / width)] < least ? NaN : value));
}
