/**
 * Probabilities of the classes over time: those of windows along a whole recording.
 * @module
 */

import { rounded } from "./numbers.js";
import { seenFrames } from "./recording_input.js";

const MOST_WINDOWS = 500;
const SEEN_SHARE = 0.5;

/**
 * Return the windows of each person alone with their probabilities, in order.
 * @param {import("./recording_input.js").InputRecording} recording
 * @param {{window: number, stride: number}} lengths
 * @param {any} description Description of the recognizer.
 * @param {(clips: {joints: Float32Array, shape: number[]}[]) => Promise<Float64Array[]>} scores
 * @returns {Promise<object[]>}
 */
export async function scoreTimeline(recording, { window, stride: wanted }, description, scores) {
  const { input, constants, class_names: names } = description;
  const [persons, length, joints, channels] = recording.shape;
  const seen = seenFrames(recording, input.coordinates, constants.least_joints);
  const stride = Math.max(wanted, Math.ceil(seen.length / MOST_WINDOWS));
  const places = [];
  for (let body = 0; body < persons; body += 1) {
    const row = seen.subarray(body * length, (body + 1) * length);
    places.push(...spans(row, window, stride).map((span) => [body, ...span]));
  }
  if (!places.length) return [];
  const size = joints * channels;
  const clips = places.map(([body, start, end]) => {
    const from = (body * length + start) * size;
    const frames = recording.joints.slice(from, from + (end - start) * size);
    return { joints: frames, shape: [1, end - start, joints, channels] };
  });
  const probs = await scores(clips);
  return places.map(([body, start, end], place) => ({
    person: recording.persons[body],
    start_frame: start,
    end_frame: end,
    scores: Object.fromEntries(
      names.map((name, label) => [name, rounded(probs[place][label], 4)]),
    ),
  }));
}

/** Return the windows in which somebody is seen for long enough; the last ends with the end. */
function spans(seen, window, stride) {
  const starts = [];
  for (let start = 0; start < Math.max(1, seen.length - window + 1); start += stride) {
    starts.push(start);
  }
  if (starts.at(-1) + window < seen.length) starts.push(seen.length - window);
  return starts
    .map((start) => [start, Math.min(seen.length, start + window)])
    .filter(([start, end]) => {
      const count = seen.subarray(start, end).reduce((sum, flag) => sum + flag, 0);
      return count / (end - start) >= SEEN_SHARE;
    });
}
