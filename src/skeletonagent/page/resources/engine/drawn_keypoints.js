/**
 * Joints of a recording as a page draws them.
 * @module
 */

import { rounded } from "./numbers.js";

const DIGITS = 4;

/**
 * Return the joints as plain values, null where nothing was seen.
 * @param {import("./recording_input.js").InputRecording} recording
 * @param {any} input Joints and channels of the recognizer.
 * @returns {object}
 */
export function drawnKeypoints(recording, input) {
  const [, length, joints, channels] = recording.shape;
  const { coordinates, layout } = input;
  const decimals = decimalsOf(recording, channels, coordinates);
  const jointAt = (from) => {
    const place = recording.joints.subarray(from, from + coordinates);
    if (place.some(Number.isNaN)) return null;
    return Array.from(place, (value) => rounded(value, decimals));
  };
  const bodyAt = (frame) => {
    const found = Array.from({ length: joints }, (_, joint) =>
      jointAt((frame * joints + joint) * channels),
    );
    return found.some((joint) => joint !== null) ? found : null;
  };
  const persons = recording.persons.map((person, body) => {
    const frames = Array.from({ length }, (_, t) => bodyAt(body * length + t));
    const first = frames.findIndex((frame) => frame !== null);
    const last = frames.findLastIndex((frame) => frame !== null);
    return { person, first_frame: first, frames: frames.slice(first, last + 1) };
  });
  return {
    persons: persons.filter(({ first_frame: first }) => first >= 0),
    names: layout.joints,
    bones: layout.bones,
    image_size: recording.imageSize,
  };
}

/** Return the decimals that coordinates have use for. */
function decimalsOf({ joints }, channels, coordinates) {
  let largest = 0;
  for (let place = 0; place < joints.length; place += 1) {
    if (place % channels < coordinates) largest = Math.max(largest, Math.abs(joints[place]) || 0);
  }
  if (!(largest > 0)) return 0;
  return Math.min(12, Math.max(0, DIGITS - Math.floor(Math.log10(largest))));
}
