/**
 * Exported recognizer: samples in, class probabilities out.
 * @module
 */

import { Network } from "./network.js";
import { PoseFilling } from "./pose_filling.js";
import { KNOWN_DATA_SETTINGS, SamplePreparation } from "./preparation.js";
import { FittedRidge } from "./ridge.js";
import { KNOWN_CLIP_SETTINGS, SampleClips } from "./sample_clips.js";

const FORM = "skeletonagent.browser/1";

/**
 * Sample as stored: joints are zeros where they are absent.
 * @typedef {object} StoredSample
 * @property {number[]} shape M, T, V and C.
 * @property {Float32Array} joints
 * @property {number[]|null} imageSize Width and height in pixels.
 */

/** Recognizer of one stream, and how its clips are made. */
export class ExportedModel {
  /**
   * @param {any} description
   * @param {Network} network
   * @param {FittedRidge|null} ridge
   */
  constructor(description, network, ridge) {
    requireKnown(description);
    this.description = description;
    this.network = network;
    this.ridge = ridge;
    const { input, data } = description;
    this.preparation = new SamplePreparation(
      data, input.layout, description.full_layout, description.middles, input.coordinates,
    );
    this.filling = description.poses && new PoseFilling(description.poses, this.preparation);
    this.clips = new SampleClips(description.clips, description.persons);
  }

  /**
   * Return a recognizer from its parts.
   * @param {{description: any, graph: Uint8Array, ridge: Uint8Array|null}} parts
   * @param {any} ort Module of ONNX Runtime Web.
   * @param {Uint8Array} wasm ONNX Runtime itself.
   * @returns {Promise<ExportedModel>}
   */
  static async open({ description, graph, ridge }, ort, wasm) {
    requireKnown(description);
    const fitted = ridge && new FittedRidge(ridge, description.persons, description.claims);
    return new ExportedModel(description, await Network.open(ort, graph, wasm), fitted);
  }

  /**
   * Return the class probabilities of samples, each a mean over its test clips.
   * @param {StoredSample[]} samples
   * @param {object} [options]
   * @param {number} [options.count] Test clips of a sample; by default those of the run.
   * @param {(share: number) => Promise<void>} [options.between] Called between batches with the
   *     share that is done.
   * @returns {Promise<Float64Array[]>}
   */
  async predict(samples, { count = this.description.clips.test_clips, between } = {}) {
    const atOnce = Math.max(1, Math.floor(this.description.batch_size / count));
    const found = [];
    for (let first = 0; first < samples.length; first += atOnce) {
      const prepared = samples.slice(first, first + atOnce).map((sample) => this.prepared(sample));
      const clips = await this.#run(prepared, count);
      prepared.forEach((sample, place) => {
        const meanOf = (rows) => mean(rows.slice(place * count, (place + 1) * count));
        const probs = meanOf(clips.probs);
        const weight = this.description.ridge_weight;
        const joins = this.ridge && weight;
        found.push(joins ? this.ridge.join(probs, sample, weight, meanOf(clips.features)) : probs);
      });
      await between?.(found.length / samples.length);
    }
    return found;
  }

  /**
   * Return a sample preprocessed as those of training were.
   * @param {StoredSample} sample
   * @returns {import("./preparation.js").PreparedSample}
   */
  prepared({ shape, joints, imageSize }) {
    const { data, input } = this.description;
    const divided = data.scale === "image" && input.has_image_sizes;
    if (divided && imageSize === null) {
      throw new Error(
        "needs image_size, width and height, by whose longer side coordinates were divided in " +
          "training",
      );
    }
    const sample = this.preparation.prepare(shape, joints, divided ? imageSize : null);
    return this.filling ? this.filling.fill(sample) : sample;
  }

  async #run(prepared, count) {
    const { persons, clips } = this.description;
    const parts = prepared.map((sample) => this.clips.of(sample, count));
    const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    const bodies = [];
    let to = 0;
    prepared.forEach((sample, place) => {
      joined.set(parts[place], to);
      to += parts[place].length;
      for (let clip = place * count; clip < (place + 1) * count; clip += 1) {
        for (let body = 0; body < this.clips.numBodies(sample); body += 1) {
          bodies.push(clip * persons + body);
        }
      }
    });
    const rows = prepared.length * count;
    const { length: joints } = this.description.full_layout.joints;
    const channels = joined.length / (rows * persons * clips.frames * joints);
    return this.network.run(joined, [rows, persons, clips.frames, joints, channels], bodies);
  }
}

/** Return the mean of rows. */
function mean(rows) {
  return rows[0].map((_, label) => rows.reduce((sum, row) => sum + row[label], 0) / rows.length);
}

/** Refuse a description of another form, or a setting that this engine does not follow. */
function requireKnown(description) {
  if (description.form !== FORM) {
    throw new Error(`the recognizer is of the form ${description.form}; this page reads ${FORM}`);
  }
  for (const [section, known] of [
    ["data", KNOWN_DATA_SETTINGS],
    ["clips", KNOWN_CLIP_SETTINGS],
  ]) {
    for (const [name, values] of Object.entries(known)) {
      const value = description[section][name];
      if (values.includes(value)) continue;
      throw new Error(
        `the engine in the browser does not know ${section}.${name} ${JSON.stringify(value)}; ` +
          "use 'skeletonagent serve' for this recognizer",
      );
    }
  }
}
