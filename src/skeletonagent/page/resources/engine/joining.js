/**
 * Joining of neighbouring segments of one class across a short pause, as segments come.
 * @module
 */

/** @typedef {import("./labelling.js").LabelledSpan} LabelledSpan */

/** Return two segments of one label as one, with means over their frames. */
function joined(first, second) {
  const one = first.end - first.start;
  const two = second.end - second.start;
  const mean = (a, b) => a.map((value, place) => (one * value + two * b[place]) / (one + two));
  return {
    start: first.start,
    end: second.end,
    probs: mean(first.probs, second.probs),
    movement: mean(first.movement, second.movement),
    label: first.label,
  };
}

/** Segments of tracks, of which each is held until no other can join it. */
export class SegmentJoiner {
  #held = new Map();

  /** @param {number} limit Largest number of frames between two segments that are joined. */
  constructor(limit) {
    this.limit = limit;
  }

  /**
   * Take the next segment of a track, and return those that are complete.
   * @param {string} track
   * @param {LabelledSpan} span
   * @returns {[string, LabelledSpan][]}
   */
  add(track, span) {
    const before = this.#held.get(track);
    this.#held.delete(track);
    const found = [];
    let next = span;
    if (before && before.label === span.label && span.start - before.end <= this.limit) {
      next = joined(before, span);
    } else if (before) {
      found.push([track, before]);
    }
    if (next.label === null) found.push([track, next]); // nothing joins an unknown action
    else this.#held.set(track, next);
    return found;
  }

  /**
   * Return the segments that nothing can join any more.
   * @param {Map<string, number>} movementFrom First frame of the next movement of each track; a
   *     track that is not in it has none any more.
   * @returns {[string, LabelledSpan][]}
   */
  settle(movementFrom) {
    const found = [];
    for (const [track, span] of [...this.#held]) {
      const begin = movementFrom.get(track);
      if (begin !== undefined && begin - span.end <= this.limit) continue;
      this.#held.delete(track);
      found.push([track, span]);
    }
    return found;
  }
}
