/**
 * Recordings with the joints and channels that a recognizer takes.
 * @module
 */

import { general } from "./numbers.js";
import { jointPlaces } from "./joint_matching.js";

/**
 * Keypoints of M bodies in T frames, as a file gives them.
 * @typedef {object} KeypointRecording
 * @property {string} name
 * @property {number[]} shape M, T, V and D, two or three coordinates.
 * @property {Float64Array} joints NaN where a joint was not seen.
 * @property {Float64Array|null} confidence M, T, V.
 * @property {string[]|null} jointNames
 * @property {string|null} layout Name of a known skeleton, in place of names.
 * @property {number|null} fps
 * @property {number[]|null} imageSize
 * @property {string[]} persons
 * @property {string[]} warnings
 */

/**
 * Recording whose joints and channels are those that a recognizer takes.
 * @typedef {object} InputRecording
 * @property {string} name
 * @property {number[]} shape M, T, V and C.
 * @property {Float32Array} joints NaN where a joint was not seen.
 * @property {string[]} persons
 * @property {number|null} fps
 * @property {number[]|null} imageSize
 * @property {string[]} warnings
 */

const COCO_MIDDLES = 17; // joints of COCO-20 before the middles

/**
 * Return a recording as a recognizer takes it; what is assumed is said in its warnings.
 * @param {KeypointRecording} recording
 * @param {any} description Description of the recognizer.
 * @returns {InputRecording}
 */
export function fitRecording(recording, description) {
  const { input } = description;
  const warnings = [...recording.warnings];
  const [persons, length] = recording.shape;
  const shape = [persons, length, input.layout.joints.length, input.channels];
  const anybody = someJointSeen(recording);
  const joints = anybody
    ? fitChannels(fitJoints(recording, description, warnings), recording, input, warnings)
    : new Float32Array(shape.reduce((a, b) => a * b)).fill(NaN);
  const { name, fps, imageSize, persons: names } = recording;
  return { name, shape, joints, persons: names, fps, imageSize, warnings };
}

/**
 * Return a recording whose frame rate is that of the training clips if it is not known.
 * @param {InputRecording} recording
 * @param {any} description Description of the recognizer.
 * @returns {InputRecording}
 */
export function withRate(recording, description) {
  const usual = description.training_clips?.fps;
  if (recording.fps || !usual || recording.shape[1] < 2) return recording;
  const word =
    `frames a second are unknown; the ${general(usual)} of the training clips are taken. Say ` +
    "others with fps (--fps)";
  return { ...recording, fps: usual, warnings: [...recording.warnings, word] };
}

function someJointSeen({ joints, shape }) {
  const width = shape[3];
  for (let from = 0; from < joints.length; from += width) {
    if (!joints.subarray(from, from + width).some(Number.isNaN)) return true;
  }
  return false;
}

/** Return coordinates and, where there is one, confidence as M, T, V, K in the wanted order. */
function fitJoints(recording, description, warnings) {
  const { values, width } = withConfidence(recording, warnings);
  const [persons, length, given] = recording.shape;
  const wanted = description.input.layout;
  const order = orderOf(recording, description, warnings);
  const count = wanted.joints.length;
  const fitted = new Float32Array(persons * length * count * width).fill(NaN);
  for (let frame = 0; frame < persons * length; frame += 1) {
    order.forEach((place, joint) => {
      if (place === null) return;
      const from = (frame * given + place) * width;
      fitted.set(values.subarray(from, from + width), (frame * count + joint) * width);
    });
  }
  const missing = wanted.joints.filter((_, joint) => order[joint] === null);
  const middles = description.completed_middles;
  const places = missing.map((name) => wanted.joints.indexOf(name));
  if (middles && places.every((place) => place >= COCO_MIDDLES)) {
    addMiddles(fitted, count, width, middles);
    return { fitted, width };
  }
  if (2 * missing.length > count) {
    throw new Error(
      `${recording.name} lacks ${missing.length} of the ${count} joints of ${wanted.name}, such as ` +
        `${missing.slice(0, 3).join(", ")}. Rename them, or train on recordings of this kind`,
    );
  }
  if (missing.length) {
    warnings.push(`joints that the recording lacks count as not seen: ${missing.join(", ")}`);
  }
  return { fitted, width };
}

/** Return joints with their confidence; those of which a coordinate is missing are NaN. */
function withConfidence({ joints, confidence, shape }, warnings) {
  const given = shape[3];
  const width = given + Number(confidence !== null);
  const values = new Float32Array((joints.length / given) * width);
  let infinite = false;
  for (let joint = 0; joint < joints.length / given; joint += 1) {
    const own = joints.subarray(joint * given, (joint + 1) * given);
    values.set(own, joint * width);
    if (confidence !== null) values[(joint + 1) * width - 1] = confidence[joint];
    const stored = values.subarray(joint * width, (joint + 1) * width);
    stored.forEach((value, place) => {
      if (Math.abs(value) !== Infinity) return;
      infinite = true;
      stored[place] = NaN;
    });
    if (own.some(Number.isNaN)) stored.fill(NaN);
  }
  if (infinite) warnings.push("joints with infinite numbers count as not seen");
  return { values, width };
}

/** Return the given joint that each wanted one is, null where there is none. */
function orderOf(recording, description, warnings) {
  const wanted = description.input.layout;
  const same = wanted.joints.map((_, joint) => joint);
  if (recording.layout !== null) return placesOfLayout(recording, description);
  if (recording.jointNames !== null) return jointPlaces(recording.jointNames, wanted.joints);
  const count = recording.shape[2];
  if (count === wanted.joints.length) {
    warnings.push(`its joints have no names; they are taken to be those of ${wanted.name}`);
    return same;
  }
  if (description.completed_middles && count === COCO_MIDDLES) {
    warnings.push("its joints have no names; they are taken to be those of coco-17");
    return same.map((joint) => (joint < count ? joint : null));
  }
  throw new Error(
    `${recording.name} has ${count} joints without names; the recognizer takes the ` +
      `${wanted.joints.length} of ${wanted.name}. Name them in the file, or give its layout`,
  );
}

function placesOfLayout({ layout, shape }, description) {
  const own = description.input.layout;
  const bare = (name) => name.toLowerCase().replace(/[\W_]/g, "");
  const key = Object.keys(description.layouts).find((name) => bare(name) === bare(layout));
  let known = key && description.layouts[key];
  if (bare(layout) === bare(own.name)) {
    known = { joints: own.joints, places: own.joints.map((_, joint) => joint) };
    if (description.completed_middles && shape[2] === COCO_MIDDLES) known = description.layouts["coco-17"];
  }
  if (!known) throw new Error("there is no skeleton of that layout's name");
  if (known.joints.length !== shape[2]) {
    throw new Error(
      `bodies have ${shape[2]} joints and ${key ?? own.name} has ${known.joints.length}; name ` +
        "another layout, or send null for joints that were not seen",
    );
  }
  return known.places;
}

/** Set absent middles of hips and shoulders to the means of their ends. */
function addMiddles(values, count, width, { hips, shoulders }) {
  for (let from = 0; from < values.length; from += count * width) {
    const mean = (one, two) => one.map((value, axis) => Math.fround(value + two[axis]) / 2);
    const joint = (place) => values.subarray(from + place * width, from + (place + 1) * width);
    const low = mean(joint(hips[0]).slice(), joint(hips[1]));
    const high = mean(joint(shoulders[0]).slice(), joint(shoulders[1]));
    [low, mean(low, high), high].forEach((point, place) => {
      const own = joint(COCO_MIDDLES + place);
      own.forEach((value, axis) => {
        if (Number.isNaN(value)) own[axis] = point[axis];
      });
    });
  }
}

/** Return the channels that the recognizer takes, M, T, V, C. */
function fitChannels({ fitted, width }, recording, input, warnings) {
  const given = recording.shape[3];
  const wanted = input.coordinates;
  if (given < wanted) {
    throw new Error(
      `${recording.name} has joints in ${given}D, and the recognizer was trained on ${wanted}D; ` +
        "train one on joints of this kind",
    );
  }
  if (given > wanted) {
    warnings.push(
      "of its joints in 3D, x and y are taken: the recognizer was trained in 2D",
    );
  }
  const scored = input.has_confidence && recording.confidence !== null;
  if (input.has_confidence && !scored) {
    warnings.push("it has no keypoint confidence; joints that are seen count as certain");
  }
  const channels = new Float32Array((fitted.length / width) * input.channels);
  for (let joint = 0; joint < fitted.length / width; joint += 1) {
    const own = fitted.subarray(joint * width, joint * width + wanted);
    channels.set(own, joint * input.channels);
    if (!input.has_confidence) continue;
    const score = fitted[(joint + 1) * width - 1];
    const certain = own.some(Number.isNaN) ? NaN : 1;
    const to = (joint + 1) * input.channels - 1;
    if (!scored) channels[to] = certain;
    else channels[to] = Number.isNaN(score) ? 0 : score;
  }
  return channels;
}

/**
 * Return whether each body counts as seen in each frame, M, T.
 * @param {InputRecording} recording
 * @param {number} coordinates
 * @param {number} leastJoints
 * @returns {Uint8Array}
 */
export function seenFrames({ joints, shape }, coordinates, leastJoints) {
  const [persons, length, count, channels] = shape;
  const seen = new Uint8Array(persons * length);
  for (let frame = 0; frame < seen.length; frame += 1) {
    let visible = 0;
    for (let joint = frame * count; joint < (frame + 1) * count; joint += 1) {
      const from = joint * channels;
      if (!joints.subarray(from, from + coordinates).some(Number.isNaN)) visible += 1;
    }
    seen[frame] = visible >= Math.min(leastJoints, count) ? 1 : 0;
  }
  return seen;
}
