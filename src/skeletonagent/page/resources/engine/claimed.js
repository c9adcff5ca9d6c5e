/**
 * Prior scores of classes by what is claimed of them, of one sample.
 * @module
 */

import { FEATURES } from "./body_motion.js";

const PRIOR_SATURATION = 1.5;

/**
 * Claims about classes, in units of the training samples.
 * @typedef {object} ClaimedClasses
 * @property {({column: number, groups: number[][], highest: boolean}|null)[]} claims Each claim
 *     once: its feature and the joints that show it; null where the skeleton lacks them.
 * @property {[number, number][][]} of_classes Claims of each class, by place and sign.
 * @property {number[]} mean
 * @property {number[]} scale
 * @property {number[]} center
 * @property {number} spread
 */

/**
 * Return the scores of a sample; 0 for a class without claims.
 * @param {ClaimedClasses} claimed
 * @param {import("./body_motion.js").MotionFeatures} features Means over the bodies.
 * @returns {number[]}
 */
export function claimScores(claimed, features) {
  const said = claimed.claims.map((claim, place) => {
    const value = claim === null ? null : measured(claim, features);
    const away = value === null ? 0 : (value - claimed.mean[place]) / claimed.scale[place];
    return Math.tanh(away / PRIOR_SATURATION);
  });
  return claimed.of_classes.map((ofClass, label) => {
    const sum = ofClass.reduce((total, [place, sign]) => total + sign * said[place], 0);
    const score = sum / Math.sqrt(Math.max(1, ofClass.length));
    return (score - claimed.center[label]) / claimed.spread;
  });
}

/** Return what a claim is about; null where it is not known. */
function measured({ column, groups, highest }, { values, known }) {
  const sides = groups.map((group) => {
    const there = group.filter((joint) => known[joint * FEATURES + column]);
    const total = there.reduce((sum, joint) => sum + values[joint * FEATURES + column], 0);
    return there.length ? total / there.length : null;
  });
  if (sides.includes(null)) return null;
  return highest ? Math.max(...sides) : Math.min(...sides);
}
