/**
 * MultiRocket's features of one time series, by kernels that were chosen in training.
 * @module
 */

const TAPS = 9;

/** Taps of each kernel that are 2; the others are -1. */
const POSITIVE_TAPS = [];
for (let a = 0; a < TAPS; a += 1) {
  for (let b = a + 1; b < TAPS; b += 1) {
    for (let c = b + 1; c < TAPS; c += 1) POSITIVE_TAPS.push([a, b, c]);
  }
}

/** @typedef {Map<string, import("./safetensors.js").NamedArray>} NamedArrays */

/** All kernels with one dilation. */
class FixedKernels {
  constructor(dilation, channels, biases, padded) {
    this.dilation = dilation;
    this.biases = biases;
    this.perKernel = biases.shape[1];
    this.length = channels.shape[1];
    const isPadded = new Set(Array.from(padded.values, Number));
    const kernels = POSITIVE_TAPS.map((_, kernel) => kernel);
    /** Kernels in the order of their features: those of padded series, then the others. */
    this.order = [
      ...Array.from(padded.values, Number).map((kernel) => [kernel, true]),
      ...kernels.filter((kernel) => !isPadded.has(kernel)).map((kernel) => [kernel, false]),
    ];
    this.seen = kernels.map((kernel) => {
      const row = channels.values.subarray(kernel * this.length, (kernel + 1) * this.length);
      return Array.from(row, (weight, channel) => [channel, weight]).filter(([, w]) => w !== 0);
    });
  }

  get numFeatures() {
    return 4 * this.biases.values.length;
  }

  /** Write the pooled outputs of each kernel with each bias, and return the place after them. */
  transform(series, frames, features, place) {
    let at = place;
    const margin = (TAPS >> 1) * this.dilation;
    for (const [kernel, padded] of this.order) {
      const outputs = this.#convolved(series, frames, kernel, margin);
      const pooled = padded ? outputs : outputs.subarray(margin, frames - margin);
      for (let bias = 0; bias < this.perKernel; bias += 1) {
        pool(pooled, this.biases.values[kernel * this.perKernel + bias], features, at);
        at += 4;
      }
    }
    return at;
  }

  /** Return the output of a kernel at each frame in single precision, zeros around the series. */
  #convolved(series, frames, kernel, margin) {
    const sums = new Float32Array(frames + 2 * margin);
    for (const [channel, weight] of this.seen[kernel]) {
      for (let t = 0; t < frames; t += 1) sums[margin + t] += weight * series[channel * frames + t];
    }
    const outputs = new Float32Array(frames);
    for (let tap = 0; tap < TAPS; tap += 1) {
      const weight = POSITIVE_TAPS[kernel].includes(tap) ? 2 : -1;
      const first = tap * this.dilation;
      for (let t = 0; t < frames; t += 1) outputs[t] += weight * sums[first + t];
    }
    return outputs;
  }
}

/**
 * Write share, mean, mean frame and longest stretch of the outputs above a bias.
 */
function pool(outputs, bias, features, at) {
  let count = 0;
  let total = 0;
  let frames = 0;
  let stretch = 0;
  let longest = 0;
  for (let t = 0; t < outputs.length; t += 1) {
    const above = Math.fround(outputs[t] - bias);
    if (!(above > 0)) {
      stretch = 0;
      continue;
    }
    count += 1;
    total += above;
    frames += t;
    stretch += 1;
    if (stretch > longest) longest = stretch;
  }
  features[at] = count / outputs.length;
  features[at + 1] = total / Math.max(count, 1);
  features[at + 2] = count > 0 ? frames / count : -1;
  features[at + 3] = longest;
}

/** Transform of a time series of a fixed length into features. */
export class FixedRocket {
  /** @param {NamedArrays} arrays Kernels, among others. */
  constructor(arrays) {
    const kernels = (name) => {
      const found = [];
      for (let place = 0; ; place += 1) {
        const part = (key) => arrays.get(`rocket.${name}.${place}.${key}`);
        if (!part("dilation")) return found;
        const dilation = Number(part("dilation").values[0]);
        found.push(new FixedKernels(dilation, part("channels"), part("biases"), part("padded")));
      }
    };
    this.ofSeries = kernels("series");
    this.ofDifferences = kernels("differences");
  }

  /** @returns {number} Number of features of a series. */
  get numFeatures() {
    const all = [...this.ofSeries, ...this.ofDifferences];
    return all.reduce((total, kernels) => total + kernels.numFeatures, 0);
  }

  /**
   * Return the features, four poolings for each kernel and bias.
   * @param {Float32Array} series K, T.
   * @param {number} frames T.
   * @returns {Float32Array}
   */
  transform(series, frames) {
    const features = new Float32Array(this.numFeatures);
    const channels = series.length / frames;
    const steps = frames - 1;
    const differences = new Float32Array(channels * steps);
    for (let place = 0; place < differences.length; place += 1) {
      const from = Math.floor(place / steps) * frames + (place % steps);
      differences[place] = series[from + 1] - series[from];
    }
    let at = 0;
    for (const kernels of this.ofSeries) at = kernels.transform(series, frames, features, at);
    for (const kernels of this.ofDifferences) {
      at = kernels.transform(differences, steps, features, at);
    }
    return features;
  }
}
