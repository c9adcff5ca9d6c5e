/**
 * Keypoint files that this page reads by itself: JSON, tables in text, and NumPy arrays.
 * @module
 */

import { general, median } from "./numbers.js";
import { readNpy } from "./npy.js";
import { isNumbered, readTable } from "./text_table.js";

/** @typedef {import("./recording_input.js").KeypointRecording} KeypointRecording */

/**
 * Array of one recording, in the joints and channels of the recognizer.
 * @typedef {object} SampleArray
 * @property {string} name
 * @property {number[]} shape T, V, C or M, T, V, C.
 * @property {Float64Array} values
 */

const OWN_SCHEMA = "skeletonagent.keypoints/1";
const LONGEST_NAME = 100;
const MOST_NUMBERS = 20;
const FEWEST_STEPS = 10;

/**
 * Return the recording of a file, or of the body of a request.
 * @param {Blob|object} source A file, or what the JSON of a request holds.
 * @param {any} input Joints and channels of the recognizer.
 * @returns {Promise<{recording: KeypointRecording}|{sample: SampleArray}>}
 */
export async function readKeypoints(source, input) {
  if (!(source instanceof Blob)) return { recording: recordingOfBody(source, "recording", input) };
  const name = cleanName(source.name ?? "recording");
  const stem = name.replace(/\.[^.]*$/, "") || "recording";
  const content = new Uint8Array(await source.arrayBuffer());
  if (/\.npy$/i.test(name)) return { sample: { name: stem, ...named(readNpy(content), "values") } };
  if (/\.json$/i.test(name)) return { recording: recordingOfJson(decoded(content), stem, input) };
  if (/\.(csv|tsv|txt)$/i.test(name)) {
    return { recording: recordingOfTable(decoded(content), stem) };
  }
  throw new Error(
    `${name} is not read without a server: open it with 'skeletonagent serve', or save it as CSV, ` +
      "NPY or JSON",
  );
}

const named = ({ shape, values }) => ({ shape, values });

function decoded(content) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    throw new Error("the file is no text in UTF-8");
  }
}

const cleanName = (text) => String(text).replace(/\p{Cc}/gu, " ").trim().slice(0, LONGEST_NAME);

function recordingOfJson(text, stem, input) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error("the file is no JSON that can be read");
  }
  if (body?.schema === OWN_SCHEMA) return recordingOfOwn(body, stem);
  return recordingOfBody(body, stem, input);
}

/** Return the recording of a file that `pose estimate` wrote. */
function recordingOfOwn(body, stem) {
  const { shape, joints, confidence } = body;
  const flat = (values) => Float64Array.from(values.flat(Infinity), (value) => value ?? NaN);
  const found = flat(joints);
  if (shape?.length !== 4 || found.length !== shape.reduce((a, b) => a * b, 1)) {
    throw new Error("the file is damaged: its joints do not have the shape that it states");
  }
  const scores = confidence && flat(confidence).map((one) => Math.min(Math.max(one || 0, 0), 1));
  return {
    name: cleanName(body.name || stem),
    shape,
    joints: found,
    confidence: scores ?? null,
    jointNames: body.layout?.joints ?? body.joint_names ?? null,
    layout: null,
    fps: body.fps ?? null,
    imageSize: body.image_size ?? null,
    persons: body.person_ids?.length === shape[0] ? body.person_ids.map(cleanName) : numbered(shape[0]),
    warnings: [],
  };
}

const numbered = (count) => Array.from({ length: count }, (_, place) => String(place + 1));

/** Return the recording of the body of a request. */
function recordingOfBody(body, stem, input) {
  if ((body?.frames === undefined) === (body?.keypoints === undefined)) {
    throw new Error("give either frames or keypoints");
  }
  const frames = body.frames ?? body.keypoints.map((one) => [one]);
  if (!Array.isArray(frames)) throw new Error("frames are no list");
  const bodies = frames.flatMap((frame) => frame ?? []).filter((one) => one !== null);
  const joints = oneLength(bodies, "bodies have {} and {} joints; each needs all of them") || 1;
  const there = bodies.flat().filter((joint) => joint !== null);
  const width = oneLength(there, "joints have {} and {} numbers; all need as many") || 2;
  if (width < 2 || width > 4) throw new Error(`joints have ${width} numbers; 2 to 4 are taken`);
  const persons = Math.max(1, ...frames.map((frame) => frame?.length ?? 0));
  const length = frames.length;
  const isScored = width === 4 || (width === 3 && input.has_confidence && input.coordinates === 2);
  const coordinates = width - Number(isScored);
  const values = new Float64Array(persons * length * joints * coordinates).fill(NaN);
  const confidence = isScored ? new Float64Array(persons * length * joints).fill(NaN) : null;
  frames.forEach((frame, t) => {
    (frame ?? []).forEach((one, body_) => {
      one?.forEach((joint, v) => {
        if (joint === null) return;
        const place = (body_ * length + t) * joints + v;
        if (!joint.every(Number.isFinite)) throw new Error("joints hold what is no finite number");
        values.set(joint.slice(0, coordinates), place * coordinates);
        if (isScored) confidence[place] = joint[width - 1];
      });
    });
  });
  const { fps = null, layout = null, image_size: size = null } = body;
  if (fps !== null && !(fps > 0 && fps <= 1000)) throw new Error("fps is no number of 0 to 1000");
  return {
    name: cleanName(body.name ?? stem),
    shape: [persons, length, joints, coordinates],
    joints: values,
    confidence,
    jointNames: null,
    layout: layout ?? input.layout.name,
    fps,
    imageSize: size,
    persons: numbered(persons),
    warnings: [],
  };
}

/** Return the number that all lengths are, undefined if there is none. */
function oneLength(lists, problem) {
  const lengths = [...new Set(lists.map((list) => list?.length ?? 0))].sort((a, b) => a - b);
  if (lengths.length > 1) throw new Error(problem.replace("{}", lengths[0]).replace("{}", lengths[1]));
  return lengths[0];
}

/** Return the recording of a table in text. */
function recordingOfTable(text, stem) {
  const { joints: names, width, rows, warnings } = readTable(text);
  const { places, fps } = timesOf(rows, warnings);
  const length = 1 + Math.max(...places);
  const isAlone = rows.every((row) => row.person === null) && new Set(places).size === places.length;
  if (!isAlone && rows.some((row) => row.person === null)) {
    throw new Error("the table has several rows for a frame and no column person that tells them apart");
  }
  const persons = isAlone ? ["0"] : [...new Set(rows.map((row) => cleanName(row.person)))];
  const shape = [persons.length, length, names.length, width];
  const joints = new Float64Array(shape.reduce((a, b) => a * b)).fill(NaN);
  const scored = rows.every((row) => row.confidence !== null);
  const confidence = scored ? new Float64Array(shape[0] * length * names.length) : null;
  const filled = new Set();
  withoutZeros(rows, width, warnings);
  rows.forEach((row, line) => {
    const body = isAlone ? 0 : persons.indexOf(cleanName(row.person));
    const frame = body * length + places[line];
    if (filled.has(frame)) throw new Error(`row ${line + 1} repeats a person of the same frame`);
    filled.add(frame);
    joints.set(row.values, frame * names.length * width);
    row.confidence?.forEach((score, joint) => {
      if (scored) confidence[frame * names.length + joint] = Math.min(Math.max(score || 0, 0), 1);
    });
  });
  const jointNames = names.every(isNumbered) ? null : names;
  return {
    name: stem, shape, joints, confidence, jointNames, layout: null, fps, imageSize: null, persons,
    warnings,
  };
}

/** Change joints whose coordinates are all zero into absent ones, but for an origin. */
function withoutZeros(rows, width, warnings) {
  const count = rows[0].values.length / width;
  const joint = (row, v) => row.values.subarray(v * width, (v + 1) * width);
  const isZero = (row, v) => joint(row, v).every((value) => value === 0);
  const isAbsent = (row, v) => isZero(row, v) || joint(row, v).some(Number.isNaN);
  const all = Array.from({ length: count }, (_, v) => v);
  const somebody = rows.filter((row) => !all.every((v) => isAbsent(row, v)));
  const always = all.filter((v) => somebody.length && somebody.every((row) => isZero(row, v)));
  const origin = always.length === 1 && count > 1 ? always[0] : -1;
  if (origin >= 0) {
    warnings.push(
      `joint ${origin} (counted from 0) is 0 in all coordinates of every frame: taken as the ` +
        "origin of the coordinates, not as absent",
    );
  }
  const kept = new Set(somebody);
  for (const row of rows) {
    for (const v of all) {
      if (isZero(row, v) && !(v === origin && kept.has(row))) joint(row, v).fill(NaN);
    }
  }
}

/** Return the frame of each row, and the frame rate where there are times. */
function timesOf(rows, warnings) {
  const finite = (role) => {
    if (rows[0][role] === null) return null;
    const values = rows.map((row) => row[role]);
    if (!values.every(Number.isFinite)) throw new Error("frames or times are missing in some rows");
    return values;
  };
  const ranks = (values) => {
    const sorted = [...new Set(values)].sort((a, b) => a - b);
    const rank = new Map(sorted.map((value, place) => [value, place]));
    return { sorted, places: values.map((value) => rank.get(value)) };
  };
  const times = finite("time");
  const fps = times === null ? null : rateOf(ranks(times).sorted, warnings);
  const frames = finite("frame");
  if (frames === null) {
    return { fps, places: times === null ? rows.map((_, place) => place) : ranks(times).places };
  }
  const { sorted, places } = ranks(frames);
  if (!sorted.every(Number.isInteger)) return { fps, places };
  const gaps = sorted.slice(1).map((number, place) => number - sorted[place]);
  const step = gaps.length >= FEWEST_STEPS ? gaps.reduce(gcd) : 1;
  const span = sorted.at(-1) - sorted[0];
  if (gaps.length && Math.floor(span / step) > MOST_NUMBERS * sorted.length) {
    warnings.push(
      "the frames' numbers leave out most of the frames; they are taken one after another, " +
        "without gaps",
    );
    return { fps, places };
  }
  return { fps, places: frames.map((number) => (number - sorted[0]) / step) };
}

const gcd = (a, b) => (b ? gcd(b, a % b) : a);

/** Return frames a second, from times in seconds, milli-, micro- or nanoseconds. */
function rateOf(times, warnings) {
  const steps = times.slice(1).map((time, place) => time - times[place]);
  if (!steps.length || steps.every((step) => step === 1)) return null;
  const step = median(steps);
  const unit = [1, 1e3, 1e6, 1e9].find((one) => step / one >= 1 / 2000 && step / one <= 2);
  if (unit) return unit / step;
  warnings.push(
    `times ${general(step)} apart fit neither seconds nor milli-, micro- or nanoseconds: the frame ` +
      "rate stays unknown",
  );
  return null;
}
