/**
 * Spans of movement between pauses, found as frames come.
 * @module
 */

/**
 * Rules that separate movement from pauses; lengths in frames.
 * @typedef {object} SpanRules
 * @property {number|null} speed Slowest movement; null if a body that is seen always moves.
 * @property {number} pause
 * @property {number} shortest
 * @property {number} pad
 * @property {number} lead
 */

/** Spans of movement of one body. */
export class SpanFinder {
  #first = -1; // of the movement; -1 outside of a span
  #last = -1;
  #after = 0; // frames after the last, all with the body seen
  #still = 0; // frames before the first, with the body seen still
  #seen = 0; // frames up to now, all with the body seen

  /**
   * @param {SpanRules} rules
   * @param {number} frame Number of the next frame.
   */
  constructor(rules, frame) {
    this.rules = rules;
    this.frame = frame;
    this.tooShort = 0;
  }

  /** @returns {number|null} First frame of the open span. */
  get start() {
    return this.#first < 0 ? null : this.#first + Math.min(this.rules.lead, this.#still);
  }

  /** @returns {number} Frame after the last one that certainly belongs to the open span. */
  get confirmed() {
    return this.#last + 1;
  }

  /**
   * Take the next frame, and return the span that it ends.
   * @param {number} speed
   * @param {boolean} seen
   * @returns {number[]|null}
   */
  push(speed, seen) {
    const number = this.frame;
    this.frame += 1;
    const moving = seen && (this.rules.speed === null || speed > this.rules.speed);
    if (moving) {
      if (this.#first < 0) [this.#first, this.#still] = [number, this.#seen];
      [this.#last, this.#after] = [number, 0];
    } else if (this.#first >= 0 && seen && number === this.#last + this.#after + 1) {
      this.#after += 1;
    }
    this.#seen = seen ? this.#seen + 1 : 0;
    return this.#first >= 0 && number - this.#last >= this.rules.pause ? this.finish() : null;
  }

  /**
   * Return the open span as far as it goes; null if there is none or it is too short.
   * @returns {number[]|null}
   */
  finish() {
    const { start } = this;
    if (start === null) return null;
    const end = this.#last + 1 + Math.min(this.rules.pad, this.#after);
    this.#first = -1;
    this.#seen = Math.min(this.#seen, this.frame - end); // no frame belongs to two spans
    if (this.#last + 1 - start < this.rules.shortest) {
      this.tooShort += 1;
      return null;
    }
    return [start, end];
  }
}
