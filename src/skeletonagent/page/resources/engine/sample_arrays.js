/**
 * Arrays that hold a recording in the joints and channels of a recognizer.
 * @module
 */

import { BodyArrays } from "./body_arrays.js";
import { withMiddles } from "./preparation.js";

/** @typedef {import("./recording_input.js").InputRecording} InputRecording */

const CHANNELS = ["x", "y", "z"];

/**
 * Return an array as a recording; joints with NaN or of zeros alone were not seen.
 * @param {import("./keypoint_files.js").SampleArray} sample
 * @param {any} description Description of the recognizer.
 * @returns {InputRecording}
 */
export function recordingOfSample(sample, description) {
  const { input, completed_middles: middles } = description;
  const warnings = [];
  const { shape, values } = withoutDepth(sample, input, warnings);
  const wanted = input.layout.joints.length;
  const count = shape.at(-2);
  const completes = middles !== null && count === wanted - 3;
  const fits = shape.length === 3 || shape.length === 4;
  if (!fits || shape.at(-1) !== input.channels || !(count === wanted || completes)) {
    const names = CHANNELS.slice(0, input.coordinates);
    if (input.has_confidence) names.push("confidence");
    throw new Error(
      `${sample.name} has shape (${sample.shape.join(", ")}); wanted is (T, ${wanted}, ` +
        `${input.channels}) for one body or (M, T, ${wanted}, ${input.channels}) for several: ` +
        `frames, joints of ${input.layout.name}, channels ${names.join(", ")}`,
    );
  }
  const four = shape.length === 4 ? shape : [1, ...shape];
  let bodies = new BodyArrays(four, input.coordinates, storedJoints(sample.name, values, shape.at(-1)));
  if (completes) bodies = withMiddles(bodies, middles, false);
  const joints = bodies.frames.slice();
  bodies.nonzero().forEach((seen, joint) => {
    if (!seen) joints.fill(NaN, joint * input.channels, (joint + 1) * input.channels);
  });
  return {
    name: sample.name,
    shape: bodies.shape,
    joints,
    persons: Array.from({ length: four[0] }, (_, place) => String(place + 1)),
    fps: null,
    imageSize: null,
    warnings,
  };
}

/** Return joints in single precision, zeros where one of their channels is NaN. */
function storedJoints(name, values, channels) {
  const joints = Float32Array.from(values);
  if (joints.some((value) => Math.abs(value) === Infinity)) {
    throw new Error(`${name} holds infinite numbers; joints that were not seen are NaN`);
  }
  for (let from = 0; from < joints.length; from += channels) {
    const own = joints.subarray(from, from + channels);
    if (own.some(Number.isNaN)) own.fill(0);
  }
  return joints;
}

/** Return joints in 3D without depth, which is said, where the recognizer takes those in 2D. */
function withoutDepth({ shape, values }, input, warnings) {
  const isFlat = !input.has_confidence && input.coordinates === 2;
  if (!isFlat || shape.at(-1) !== 3 || ![3, 4].includes(shape.length)) return { shape, values };
  warnings.push("of its joints in 3D, x and y are taken: the recognizer was trained in 2D");
  return { shape: [...shape.slice(0, -1), 2], values: values.filter((_, place) => place % 3 < 2) };
}
