/**
 * Explanation of a segment: joints, runner-up, and the sentences that tell the two apart.
 * @module
 */

import { largestFirst, rounded } from "./numbers.js";

const MOST_JOINTS = 5;

/**
 * Return what speaks for a label, in the form of a prediction.
 * @param {number|null} label
 * @param {{label: string, score: number}[]} top The most probable classes, best first.
 * @param {ArrayLike<number>} movement Movement of each joint of the input.
 * @param {any} description Description of the recognizer.
 * @returns {object}
 */
export function explainLabel(label, top, movement, description) {
  const names = description.input.layout.joints;
  const named = new Set(label === null ? [] : description.guidance[label].joints);
  const salient = names.map((_, joint) => joint).filter((joint) => named.has(names[joint]));
  const listed = salient.length ? salient : largestFirst(movement).slice(0, MOST_JOINTS);
  const total = listed.reduce((sum, joint) => sum + movement[joint], 0);
  const order = [...listed].sort((a, b) => movement[b] - movement[a]);
  const sentences = {};
  for (const { label: name, score } of top.slice(0, 2)) {
    if (!(score > 0)) continue;
    const place = description.class_names.indexOf(name);
    const sentence = description.guidance[place]?.sentence;
    if (sentence !== undefined && sentence !== name) sentences[name] = sentence;
  }
  const runnerUp = top.length > 1 && top[1].score > 0 ? top[1] : null;
  return {
    joints: order.map((joint) => ({
      joint: names[joint],
      weight: total > 0 ? rounded(movement[joint] / total, 6) : 0,
    })),
    joints_from: salient.length ? "guidance" : "movement",
    runner_up: runnerUp && { label: runnerUp.label, score: rounded(runnerUp.score, 6) },
    sentences,
  };
}
