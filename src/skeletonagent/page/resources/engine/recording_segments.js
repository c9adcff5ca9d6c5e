/**
 * Actions of whole recordings: all frames through a stream, and what is to be said about them.
 * @module
 */

import { general } from "./numbers.js";
import { joinedBodies } from "./person_joining.js";
import { seenFrames } from "./recording_input.js";
import { SegmentStream, secondsOf } from "./segment_stream.js";

/** @typedef {import("./recording_input.js").InputRecording} InputRecording */

const CLIPS_AT_ONCE = 64;

/**
 * Return the actions in a recording, in the form of a prediction.
 * @param {InputRecording} recording
 * @param {import("./segment_stream.js").StreamTask} task
 * @param {object} engine What is to be said about the recognizer.
 * @param {string[]} remarks What had to be assumed before.
 * @returns {Promise<any>}
 */
export async function segmentRecording(recording, task, engine, remarks) {
  const { input, constants } = task.description;
  const stream = new SegmentStream(task, false, CLIPS_AT_ONCE);
  // As many frames as numbers: of a body that is left out of a frame, no joint is taken.
  const seen = seenFrames(recording, input.coordinates, constants.least_joints);
  const [, length] = recording.shape;
  const events = [];
  for (let t = 0; t < length; t += 1) {
    const given = new Map();
    recording.persons.forEach((person, body) => {
      if (seen[body * length + t]) given.set(person, bodyAt(recording, body, t));
    });
    const { bodies, words } = readFrame(given, input, constants);
    words.forEach((word) => stream.note(word));
    events.push(...(await stream.push(bodies)));
  }
  events.push(...(await stream.finish()));
  const segments = events.map(({ type, ...segment }) => segment);
  const compare = (a, b) => (a < b ? -1 : Number(a > b));
  segments.sort(
    (a, b) =>
      a.start_frame - b.start_frame || a.end_frame - b.end_frame || compare(a.person, b.person),
  );
  const words = [
    ...remarks,
    ...recording.warnings,
    ...stream.warnings,
    ...wordsOf(recording, seen, segments, task),
  ];
  return {
    schema: "skeletonagent.prediction/1",
    name: recording.name,
    source: null,
    fps: recording.fps,
    frames: length,
    layout: input.layout.name,
    engine: { ...engine, ...task.settings.toJson() },
    segments,
    persons: personSpans(recording, seen),
    warnings: [...new Set(words)],
  };
}

/** Return the joints of a body in a frame. */
function bodyAt({ joints, shape }, body, t) {
  const size = shape[2] * shape[3];
  const from = (body * shape[1] + t) * size;
  return joints.slice(from, from + size);
}

/**
 * Return the bodies that are seen in a frame, with absent joints as NaN in all channels.
 * @param {Map<string, Float32Array>} given V, C of each person.
 * @param {{channels: number, coordinates: number}} input
 * @param {Record<string, number>} constants
 * @returns {{bodies: Map<string, Float32Array>, words: string[]}}
 */
export function readFrame(given, { channels, coordinates }, constants) {
  const bodies = new Map();
  const words = [];
  for (const [name, body] of given) {
    const joints = body.slice();
    let visible = 0;
    if (body.some((value) => Math.abs(value) === Infinity)) {
      words.push("joints with infinite numbers count as not seen");
    }
    for (let from = 0; from < joints.length; from += channels) {
      const own = joints.subarray(from, from + channels);
      const isSeen = own.every(Number.isFinite) && own.subarray(0, coordinates).some(Boolean);
      if (isSeen) visible += 1;
      else own.fill(NaN);
    }
    const least = Math.min(constants.least_joints, joints.length / channels);
    if (visible >= least) bodies.set(name, joints);
  }
  return { bodies, words };
}

/**
 * Return the persons of a recording that are seen, and when.
 * @param {InputRecording} recording
 * @param {Uint8Array} seen Whether each body counts as seen in each frame.
 * @returns {object[]}
 */
export function personSpans(recording, seen) {
  const [, length] = recording.shape;
  const found = [];
  recording.persons.forEach((person, body) => {
    const row = seen.subarray(body * length, (body + 1) * length);
    if (!row.some(Boolean)) return;
    const spans = runsOf(row).map(([start, end]) => ({
      start_frame: start,
      end_frame: end,
      start: secondsOf(start, recording.fps),
      end: secondsOf(end, recording.fps),
    }));
    found.push({ person, frames: row.reduce((sum, flag) => sum + flag, 0), spans });
  });
  return found;
}

/** Return the stretches of frames that have a flag. */
function runsOf(flags) {
  const runs = [];
  flags.forEach((flag, t) => {
    if (!flag) return;
    const last = runs.at(-1);
    if (last?.[1] === t) last[1] = t + 1;
    else runs.push([t, t + 1]);
  });
  return runs;
}

/** Return what should be said about a result. */
function wordsOf(recording, seen, segments, task) {
  const { settings } = task;
  const [persons, length] = recording.shape;
  const words = [];
  if (recording.fps === null && length > 1) {
    const assumed = general(settings.constants.assumed_fps);
    words.push(
      `frames a second are unknown, ${assumed} are assumed for the length of pauses; say them ` +
        "with fps (--fps)",
    );
  }
  const isThere = Array.from({ length: persons }, (_, body) =>
    seen.subarray(body * length, (body + 1) * length).some(Boolean),
  );
  if (!isThere.some(Boolean)) return [...words, "nobody is seen in it"];
  if (length === 1) words.push("it has one frame, in which no movement can be seen");
  if (!settings.singles.some(Boolean) && isThere.filter(Boolean).length < 2) {
    words.push("all classes are of two persons, and one is seen in it");
  }
  const acting = new Set(segments.flatMap((segment) => segment.person.split("+")));
  const idle = recording.persons.filter((person, body) => isThere[body] && !acting.has(person));
  if (idle.length && length > 1) {
    const why = settings.usesStillness
      ? ": not long enough in view, or no movement faster than a pause"
      : "";
    words.push(`no action of person ${idle.slice(0, 10).join(", ")}${why}`);
  }
  return words;
}

/**
 * Return a recording in which no two bodies have one name, by numbering those that do.
 * @param {InputRecording} recording
 * @returns {InputRecording}
 */
export function withoutPersonsTwice(recording) {
  if (new Set(recording.persons).size === recording.persons.length) return recording;
  return {
    ...recording,
    persons: recording.persons.map((name, place) => `${name}#${place + 1}`),
    warnings: [...recording.warnings, "persons have the same name; they are numbered"],
  };
}

/**
 * Return a recording in which persons whom a tracker numbered anew are one body each.
 * @param {InputRecording} recording
 * @param {number} coordinates
 * @returns {InputRecording}
 */
export function withJoinedPersons(recording, coordinates) {
  const { shape, joints: frames } = recording;
  const [persons, length, count, channels] = shape;
  const present = Uint8Array.from({ length: persons * length * count }, (_, joint) => {
    const from = joint * channels;
    return Number(!frames.subarray(from, from + coordinates).some(Number.isNaN));
  });
  const taken = joinedBodies({ shape, coordinates, frames, present });
  const row = (body) => taken.subarray(body * length, (body + 1) * length);
  const numbers = recording.persons.map((_, body) => body);
  const firsts = numbers.filter((body) => !row(body).includes(-1));
  if (firsts.length === persons) return recording;
  const isVisible = (body, t) => {
    const from = (body * length + t) * count;
    return present.subarray(from, from + count).some(Boolean);
  };
  const framesOf = (body) => Array.from({ length }, (_, t) => t).filter((t) => isVisible(body, t));
  const parts = numbers
    .filter((body) => !firsts.includes(body))
    .map((body) => [body, framesOf(body)])
    .filter(([, there]) => there.length);
  const groups = firsts
    .map((first) => [
      first,
      ...parts
        .filter(([body, there]) => there.every((t) => row(first)[t] === body))
        .map(([body]) => body),
    ])
    .filter((group) => group.length > 1);
  const joints = new Float32Array(firsts.length * length * count * channels);
  firsts.forEach((first, place) => {
    row(first).forEach((body, t) => {
      joints.set(bodyAt(recording, body, t), (place * length + t) * count * channels);
    });
  });
  const named = groups.map((group) => group.map((body) => recording.persons[body]).join(" = "));
  return {
    ...recording,
    shape: [firsts.length, length, count, channels],
    joints,
    persons: joinedNames(groups, recording.persons, firsts.length),
    warnings: [
      ...recording.warnings,
      `persons whom a tracker numbered anew in the same place are one: ${named.join(", ")}; they ` +
        "are never seen at once",
    ],
  };
}

/** Return the names of the persons: each keeps that of its first body. */
function joinedNames(groups, names, count) {
  const parts = new Set(groups.flatMap((group) => group.slice(1)));
  return names.filter((_, body) => !parts.has(body)).slice(0, count);
}
