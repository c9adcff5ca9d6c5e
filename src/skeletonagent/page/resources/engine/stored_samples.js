/**
 * Clips as they are stored for training: zeros where joints are absent, and the bodies seen most.
 * @module
 */

import { largestFirst } from "./numbers.js";

/**
 * Return a clip as stored; what is left out is said.
 * @param {{joints: Float32Array, shape: number[]}} clip NaN where a joint was not seen.
 * @param {any} description Description of the recognizer.
 * @param {number[]|null} imageSize
 * @param {(word: string) => void} note
 * @returns {import("./exported_model.js").StoredSample}
 */
export function storedSample({ joints, shape }, { input, persons }, imageSize, note) {
  const stored = joints.slice();
  const size = stored.length / shape[0];
  const seen = new Array(shape[0]).fill(0);
  for (let from = 0; from < stored.length; from += input.channels) {
    const own = stored.subarray(from, from + input.channels);
    if (own.some(Number.isNaN)) own.fill(0);
    if (own.subarray(0, input.coordinates).some(Boolean)) seen[Math.floor(from / size)] += 1;
  }
  if (!seen.some(Boolean)) note("sample '0': no joint was seen, so its prediction says nothing");
  if (shape[0] <= persons) return { shape, joints: stored, imageSize };
  if (seen.filter(Boolean).length > persons) {
    note(
      `sample '0': the recognizer has room for ${persons} of its ${shape[0]} bodies; those seen ` +
        "most are taken",
    );
  }
  const kept = largestFirst(seen).slice(0, persons).sort((a, b) => a - b);
  const most = new Float32Array(persons * size);
  kept.forEach((body, place) => {
    most.set(stored.subarray(body * size, (body + 1) * size), place * size);
  });
  return { shape: [persons, ...shape.slice(1)], joints: most, imageSize };
}
