/**
 * Labels of a movement: class probabilities of its clips become segments of one class each.
 * @module
 */

import { argmax } from "./numbers.js";

/** Label of a segment whose most probable class is not probable enough. */
export const UNKNOWN_LABEL = "unknown";

const UNKNOWN = -1;
const REST = -2;

/**
 * Rules by which probabilities become labels.
 * @typedef {object} LabelRules
 * @property {boolean[]} allowed Classes that are possible.
 * @property {number} threshold
 * @property {number|null} rest Class of which nothing is reported.
 * @property {number} stride
 * @property {number} shortest
 */

/**
 * Frames with their class probabilities.
 * @typedef {object} LabelledClip
 * @property {number} start
 * @property {number} end
 * @property {Float64Array} probs
 * @property {Float64Array} movement
 */

/** @typedef {LabelledClip & {label: number|null}} LabelledSpan */

/**
 * Return the class of probabilities, negative for an unknown action and for rest.
 * @param {LabelRules} rules
 * @param {ArrayLike<number>} probs
 * @returns {number}
 */
export function labelOf(rules, probs) {
  const best = argmax(probs);
  if (probs[best] < rules.threshold || !(probs[best] > 0)) return UNKNOWN;
  return best === rules.rest ? REST : best;
}

/**
 * Return the probabilities of the classes that are possible, 0 for all others.
 * @param {LabelRules} rules
 * @param {ArrayLike<number>} probs
 * @returns {Float64Array}
 */
export function possible(rules, probs) {
  return Float64Array.from(probs, (share, label) =>
    rules.allowed[label] && Number.isFinite(share) ? share : 0,
  );
}

const plus = (sum, values, weight) => sum.map((value, place) => value + weight * values[place]);
const over = (sum, weight) => sum.map((value) => value / weight);

/** Labeller of one movement, clip after clip. */
export class SpanLabeller {
  #cells = new Map();
  #windows = 0;
  #final = 0;
  #whole = null;
  #merger;

  /**
   * @param {LabelRules} rules
   * @param {number} start First frame of the movement.
   */
  constructor(rules, start) {
    this.rules = rules;
    this.start = start;
    this.#merger = new Merger(rules);
  }

  /**
   * Take the next clip, and return the segments that cannot change any more.
   * @param {LabelledClip} given
   * @returns {LabelledSpan[]}
   */
  add(given) {
    const clip = { ...given, probs: possible(this.rules, given.probs) };
    this.#windows += 1;
    if (this.#windows === 1) this.#whole = clip;
    const { stride } = this.rules;
    const last = Math.ceil((clip.end - this.start) / stride);
    const middle = (clip.start + clip.end) / 2;
    const half = (clip.end - clip.start) / 2;
    const first = Math.max(this.#final, Math.floor((clip.start - this.start) / stride));
    for (let number = first; number < last; number += 1) {
      const away = Math.abs(this.start + (number + 0.5) * stride - middle);
      const weight = Math.max(1 - away / half, 1e-3);
      const cell = this.#cells.get(number) ?? {
        probs: clip.probs.map(() => 0),
        movement: clip.movement.map(() => 0),
        weight: 0,
      };
      cell.probs = plus(cell.probs, clip.probs, weight);
      cell.movement = plus(cell.movement, clip.movement, weight);
      cell.weight += weight;
      this.#cells.set(number, cell);
    }
    // No later window reaches the stretch that this one begins with.
    if ((clip.start - this.start) % stride !== 0) return [];
    return this.#finalize((clip.start - this.start) / stride + 1);
  }

  /**
   * Return the remaining segments.
   * @param {number} end Frame after the last one of the movement.
   * @returns {LabelledSpan[]}
   */
  finish(end) {
    const clip = this.#whole;
    if (this.#windows === 1 && clip !== null && clip.end === end) {
      const label = labelOf(this.rules, clip.probs);
      return label === REST ? [] : [{ ...clip, label: label === UNKNOWN ? null : label }];
    }
    const count = Math.ceil((end - this.start) / this.rules.stride);
    return [...this.#finalize(count, end), ...this.#merger.finish()];
  }

  #finalize(count, end = Infinity) {
    const { stride } = this.rules;
    const spans = [];
    for (let number = this.#final; number < count; number += 1) {
      const cell = this.#cells.get(number);
      this.#cells.delete(number);
      const first = this.start + number * stride;
      const probs = over(cell.probs, cell.weight);
      const movement = over(cell.movement, cell.weight);
      const clip = { start: first, end: Math.min(first + stride, end), probs, movement };
      spans.push(...this.#merger.add(clip, labelOf(this.rules, probs)));
    }
    this.#final = Math.max(this.#final, count);
    return spans;
  }
}

/** Return two stretches of neighbouring frames as one, with the label of the second. */
function together(first, second, label) {
  return {
    label,
    start: first.start,
    end: second.end,
    probs: plus(first.probs, second.probs, 1),
    movement: plus(first.movement, second.movement, 1),
  };
}

const frames = (stretch) => stretch.end - stretch.start;

/** Segments of neighbours with one label; those that are too short join a neighbour. */
class Merger {
  #current = null;
  #candidate = null;

  constructor(rules) {
    this.rules = rules;
  }

  add(clip, label) {
    const zeros = (values) => values.map(() => 0);
    const next = {
      label,
      start: clip.start,
      end: clip.end,
      probs: plus(zeros(clip.probs), clip.probs, frames(clip)),
      movement: plus(zeros(clip.movement), clip.movement, frames(clip)),
    };
    if (this.#current === null) {
      this.#current = next;
      return [];
    }
    this.#place(next);
    return this.#settled();
  }

  #place(next) {
    const candidate = this.#candidate;
    if (candidate !== null && next.label === candidate.label) {
      this.#candidate = together(candidate, next, next.label);
    } else if (candidate !== null) {
      const { label } = this.#current;
      this.#current = together(this.#current, candidate, label);
      this.#candidate = next.label === label ? null : next;
      if (this.#candidate === null) this.#current = together(this.#current, next, label);
    } else if (next.label === this.#current.label) {
      this.#current = together(this.#current, next, next.label);
    } else {
      this.#candidate = next;
    }
  }

  #settled() {
    const [current, candidate] = [this.#current, this.#candidate];
    if (candidate === null || frames(candidate) < this.rules.shortest) return [];
    const isLong = frames(current) >= this.rules.shortest;
    this.#current = isLong ? candidate : together(current, candidate, candidate.label);
    this.#candidate = null;
    return isLong ? segment(current) : [];
  }

  finish() {
    let current = this.#current;
    if (current !== null && this.#candidate !== null) {
      current = together(current, this.#candidate, current.label);
    }
    this.#current = null;
    this.#candidate = null;
    return current === null ? [] : segment(current);
  }
}

/** Return the segment of a stretch, nothing of one of rest. */
function segment(stretch) {
  if (stretch.label === REST) return [];
  return [
    {
      start: stretch.start,
      end: stretch.end,
      label: stretch.label === UNKNOWN ? null : stretch.label,
      probs: over(stretch.probs, frames(stretch)),
      movement: over(stretch.movement, frames(stretch)),
    },
  ];
}
