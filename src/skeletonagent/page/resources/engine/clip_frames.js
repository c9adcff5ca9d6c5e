/**
 * Frames and positions of test clips, which depend on the length of a sample alone.
 * @module
 */

import { MersenneTwister } from "./mersenne_twister.js";
import { linspace } from "./numbers.js";

const TEST_SEED = 255;
const TEST_WINDOW = 0.88;

/**
 * Return the frame numbers of each of a sample's test clips.
 * @param {number} length Number of frames of the sample.
 * @param {number} frames Number of frames of a clip.
 * @param {number} clips
 * @param {string} rule `decode` or `frames`.
 * @returns {number[][]}
 */
export function sampleTestFrames(length, frames, clips, rule) {
  const numbers = Array.from({ length: clips }, (_, clip) => clip);
  const steps = Array.from({ length: frames }, (_, step) => step);
  if (rule === "frames" && length < frames) {
    const start = (clip) => (length < clips ? clip : Math.floor((clip * length) / clips));
    return numbers.map((clip) => steps.map((step) => (start(clip) + step) % length));
  }
  const random = new MersenneTwister(TEST_SEED);
  return numbers.map(() => oneTestClip(length, frames, random, steps));
}

function oneTestClip(n, t, random, steps) {
  random.skipShare(); // the length of a window, which is always that of the sample
  if (n < t) {
    const start = random.upTo(n - 1);
    return steps.map((step) => (start + step) % n);
  }
  if (n < 2 * t) {
    const skips = new Uint8Array(t + 1);
    for (const place of random.choice(t + 1, n - t)) skips[place] = 1;
    let skipped = 0;
    return steps.map((step) => {
      skipped += skips[step];
      return step + skipped;
    });
  }
  const bounds = [...steps, t].map((step) => Math.floor((step * n) / t));
  return steps.map((step) => bounds[step] + random.upTo(bounds[step + 1] - bounds[step] - 1));
}

/**
 * Return the positions of each of a sample's test clips, in single precision.
 * @param {number} length
 * @param {number} frames
 * @param {number} clips
 * @returns {Float32Array[]}
 */
export function sampleTestPositions(length, frames, clips) {
  const others = clips - 1;
  const room = 1 - TEST_WINDOW;
  const starts = others > 1 ? [...linspace(0, room, others)] : new Array(others).fill(room / 2);
  const spans = [[0, 1], ...starts.map((start) => [start, start + TEST_WINDOW])];
  return spans.map(([start, end]) =>
    Float32Array.from(linspace(start * (length - 1), end * (length - 1), frames), (position) =>
      Math.min(Math.max(position, 0), length - 1),
    ),
  );
}
