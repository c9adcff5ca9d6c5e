/**
 * Kernel ridge classifier of whole samples, as an exported file carries it.
 * @module
 */

import { FEATURES, motionOfBody } from "./body_motion.js";
import { claimScores } from "./claimed.js";
import { linspace } from "./numbers.js";
import { FixedRocket } from "./rocket.js";
import { readSafetensors } from "./safetensors.js";

/** @typedef {import("./preparation.js").PreparedSample} PreparedSample */
/** @typedef {import("./claimed.js").ClaimedClasses} ClaimedClasses */

const SERIES_FRAMES = 64;
const OUTLIER = 8;
const BASE_WEIGHT = 0.5;

/** Kernel ridge classifier that was fitted in training. */
export class FittedRidge {
  /**
   * @param {Uint8Array} content Its arrays in the form of safetensors.
   * @param {number} persons M, bodies whose features are taken.
   * @param {ClaimedClasses|null} claims What is claimed of each class.
   */
  constructor(content, persons, claims) {
    this.arrays = readSafetensors(content);
    this.rocket = new FixedRocket(this.arrays);
    this.persons = persons;
    this.claims = claims;
    this.numClasses = this.arrays.get("intercept").values.length;
    this.baseWidth = this.arrays.get("base.mean")?.values.length ?? 0;
  }

  #values(name) {
    return this.arrays.get(name).values;
  }

  /**
   * Return the logarithms of the class probabilities of a sample.
   * @param {PreparedSample} sample
   * @param {Float64Array|Float32Array} [networkFeatures] Features of the network, those of a base
   *     last.
   * @returns {Float64Array}
   */
  logProbabilities(sample, networkFeatures = new Float64Array()) {
    const bodies = sample.withoutDepth;
    const { series, seen } = wholeSeries(bodies, this.persons);
    const own = [];
    for (let body = 0; body < Math.min(bodies.persons, this.persons); body += 1) {
      own.push(motionOfBody(bodies, body, sample.layout));
    }
    const values = ofRoom(own, this.persons, sample.layout.joints.length);
    const means = this.#values("channel_means");
    if (seen.length !== means.length || values.length !== this.#values("of_motion.mean").length) {
      throw new Error(
        `the kernel ridge classifier was fitted to ${means.length} time series of a sample, got ` +
          `${seen.length}`,
      );
    }
    seen.forEach((flag, channel) => {
      if (flag) return;
      series.fill(means[channel], channel * SERIES_FRAMES, (channel + 1) * SERIES_FRAMES);
    });
    const features = this.#standard(this.rocket.transform(series, SERIES_FRAMES), "of_rocket");
    const motion = this.#standard(values, "of_motion");
    const decisions = this.#decisions(features, motion, this.#ofBase(networkFeatures));
    const sharpness = this.#values("sharpness")[0];
    const logs = logShares(decisions.map((value) => sharpness * value));
    if (this.claims === null) return logs;
    const scores = claimScores(this.claims, meansOfBodies(own));
    const weight = this.#values("claim_weight")[0];
    return logShares(logs.map((value, label) => value + weight * scores[label]));
  }

  /** Return features of mean 0 and deviation 1; unknown ones are 0. */
  #standard(features, name) {
    const [mean, scale] = [this.#values(`${name}.mean`), this.#values(`${name}.scale`)];
    return features.map((feature, place) => {
      const value = (feature - mean[place]) / scale[place];
      return Number.isNaN(value) ? 0 : Math.min(Math.max(value, -OUTLIER), OUTLIER);
    });
  }

  /** Return the standardized features of a base, null where there is none. */
  #ofBase(networkFeatures) {
    if (!this.baseWidth || !networkFeatures.length) return null;
    return this.#standard(networkFeatures.slice(-this.baseWidth), "base");
  }

  #decisions(features, motion, ofBase) {
    const count = this.numClasses;
    const decisions = Float64Array.from(this.#values("intercept"));
    const add = (share, rows, row) => {
      for (let label = 0; label < count; label += 1) {
        decisions[label] += share * rows[row * count + label];
      }
    };
    const [weights, dual] = [this.#values("weights"), this.#values("dual")];
    features.forEach((value, row) => add(value, weights, row));
    const similar = gaussian(this.#values("motion"), motion, Number(this.#values("reach")[0]));
    similar.forEach((share, row) => add(share, dual, row));
    if (ofBase === null) return decisions;
    const reach = Number(this.#values("base.reach")[0]);
    gaussian(this.#values("base.features"), ofBase, reach).forEach((share, row) =>
      add(BASE_WEIGHT * share, dual, row),
    );
    return decisions;
  }

  /**
   * Return the weighted geometric mean of a network's probabilities and those of this.
   * @param {Float64Array} probs Probabilities of the network for one sample.
   * @param {PreparedSample} sample The same sample.
   * @param {number} weight Weight of this where the network's is 1.
   * @param {Float64Array|Float32Array} [features] Its features of the sample, those of a base last.
   * @returns {Float64Array}
   */
  join(probs, sample, weight, features) {
    const known = this.numClasses;
    const joined = probs.slice();
    const ofKnown = probs.subarray(0, known);
    const mass = ofKnown.reduce((sum, share) => sum + share, 0);
    const best = Math.max(ofKnown.reduce((a, b) => Math.max(a, b), 0), 1e-12);
    const own = this.logProbabilities(sample, features);
    const both = ofKnown.map((share, label) => {
      const log = Math.log(Math.max(share / Math.max(mass, 1e-12), 1e-6));
      return (log + weight * own[label]) / (1 + weight);
    });
    const top = both.reduce((a, b) => Math.max(a, b), -Infinity);
    const shares = both.map((value) => Math.exp(value - top));
    const total = shares.reduce((sum, share) => sum + share, 0);
    for (let label = 0; label < known; label += 1) joined[label] = (mass * shares[label]) / total;
    if (probs.length === known) return joined;
    const highest = joined.subarray(0, known).reduce((a, b) => Math.max(a, b), 0);
    for (let label = known; label < joined.length; label += 1) joined[label] *= highest / best;
    const whole = joined.reduce((sum, share) => sum + share, 0);
    return joined.map((share) => share / whole);
  }
}

/** Return the Gaussian kernel of the rows of a matrix and one more row. */
function gaussian(rows, other, reach) {
  const similar = new Float64Array(rows.length / other.length);
  for (let row = 0; row < similar.length; row += 1) {
    let square = 0;
    for (let place = 0; place < other.length; place += 1) {
      square += (rows[row * other.length + place] - other[place]) ** 2;
    }
    similar[row] = Math.exp(-square / reach);
  }
  return similar;
}

/** Return a sample as time series of one length, K, T, and which are of joints ever seen. */
function wholeSeries(bodies, persons) {
  const { length, joints, channels, coordinates } = bodies;
  const present = bodies.nonzero();
  const series = new Float32Array(persons * joints * coordinates * SERIES_FRAMES);
  const seen = new Uint8Array(persons * joints * coordinates);
  const times = linspace(0, length - 1, SERIES_FRAMES);
  for (let body = 0; body < Math.min(bodies.persons, persons); body += 1) {
    for (let joint = 0; joint < joints; joint += 1) {
      const places = [];
      for (let t = 0; t < length; t += 1) {
        if (present[(body * length + t) * joints + joint]) places.push(t);
      }
      if (!places.length) continue;
      for (let axis = 0; axis < coordinates; axis += 1) {
        const channel = (body * joints + joint) * coordinates + axis;
        const value = (t) => bodies.frames[((body * length + t) * joints + joint) * channels + axis];
        seen[channel] = 1;
        resample(times, places, value, series, channel * SERIES_FRAMES);
      }
    }
  }
  return { series, seen };
}

/** Write values at times, interpolated between places and held outside of them. */
function resample(times, places, value, series, to) {
  let next = 0;
  times.forEach((time, frame) => {
    while (next < places.length && places[next] <= time) next += 1;
    if (next === 0) series[to + frame] = value(places[0]);
    else if (next === places.length) series[to + frame] = value(places[next - 1]);
    else {
      const [before, after] = [places[next - 1], places[next]];
      const [low, high] = [value(before), value(after)];
      const slope = (high - low) / (after - before);
      series[to + frame] = slope * (time - before) + low;
    }
  });
}

/** Return the motion features of as many bodies as there is room for; NaN where not known. */
function ofRoom(bodies, persons, joints) {
  const size = joints * FEATURES;
  const found = new Float32Array(persons * size).fill(NaN);
  bodies.forEach(({ values, known }, body) => {
    values.forEach((value, place) => {
      if (known[place]) found[body * size + place] = value;
    });
  });
  return found;
}

/** Return the means of motion features over the bodies in which they are known; else 0. */
function meansOfBodies(bodies) {
  const values = new Float64Array(bodies[0].values.length);
  const known = new Uint8Array(values.length);
  values.forEach((_, place) => {
    const there = bodies.filter((body) => body.known[place]);
    known[place] = there.length ? 1 : 0;
    for (const body of there) values[place] += body.values[place] / there.length;
  });
  return { values, known };
}

/** Return the logarithm of the softmax. */
function logShares(decisions) {
  const top = decisions.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = decisions.reduce((sum, value) => sum + Math.exp(value - top), 0);
  return decisions.map((value) => value - top - Math.log(total));
}
