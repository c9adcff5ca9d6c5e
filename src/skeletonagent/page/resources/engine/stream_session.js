/**
 * One stream: frames at times of their own, at a constant rate into the recognizer.
 * @module
 */

import { roundHalfEven, rounded } from "./numbers.js";
import { readFrame } from "./recording_segments.js";
import { SegmentStream } from "./segment_stream.js";

const HELD_SECONDS = 0.5;

/** Stream of keypoints. */
export class StreamSession {
  #stream;
  #said = new Set();
  #shown = null;
  #shownAt = 0;
  #tick = 0;
  #work = Promise.resolve();
  #over = false;

  /**
   * @param {import("./segment_stream.js").StreamTask} task
   * @param {number} fps Frames a second.
   * @param {(event: object) => void} onEvent
   */
  constructor(task, fps, onEvent) {
    this.task = task;
    this.fps = fps;
    this.onEvent = onEvent;
    this.#stream = new SegmentStream(task, true, 1);
  }

  /**
   * Take a frame; each counts until the next one, for half a second.
   * @param {{t: number, bodies: Record<string, (number[]|null)[]|null>}} frame
   * @returns {boolean}
   */
  push({ t, bodies }) {
    if (this.#over) return false;
    this.#after(() => this.#take(t, this.#bodiesOf(bodies)));
    return true;
  }

  /**
   * Hand out what was still open.
   * @returns {Promise<void>}
   */
  async end() {
    if (this.#over) return;
    this.#over = true;
    this.#after(async () => {
      const events = this.#shown ? await this.#stream.push(this.#shown, this.#tick / this.fps) : [];
      this.#tell([...events, ...(await this.#stream.finish())]);
      this.onEvent({ type: "end" });
    });
    await this.#work;
  }

  /** Do something after all that came before; a failure ends the stream. */
  #after(step) {
    this.#work = this.#work.then(step).catch((error) => {
      this.#over = true;
      this.#work = new Promise(() => {});
      this.onEvent({ type: "error", text: error.message });
    });
  }

  #bodiesOf(given) {
    const { input, constants } = this.task.description;
    const count = input.layout.joints.length;
    const bodies = new Map();
    for (const [name, joints] of Object.entries(given ?? {})) {
      if (joints === null) continue;
      if (joints.length !== count) throw new Error(`a body has ${joints.length} joints, wanted are ${count}`);
      const body = new Float32Array(count * input.channels).fill(NaN);
      joints.forEach((joint, place) => {
        if (joint === null) return;
        body.set(joint.slice(0, input.channels), place * input.channels);
      });
      bodies.set(name, body);
    }
    const { bodies: seen, words } = readFrame(bodies, input, constants);
    words.forEach((word) => this.#stream.note(word));
    return seen;
  }

  async #take(moment, bodies) {
    let events = [];
    if (this.#shown === null) this.#tick = roundHalfEven(moment * this.fps);
    else if (moment <= this.#shownAt) {
      this.#stream.note("frames that came too late are left out");
      this.#tell([]);
      return;
    } else events = await this.#until(moment);
    this.#shown = bodies;
    this.#shownAt = moment;
    this.#tell(events);
  }

  /** Hand on the frame that is shown at each moment up to a time. */
  async #until(moment) {
    const events = [];
    const end = Math.min(moment, this.#shownAt + HELD_SECONDS);
    while (this.#tick + 0.5 <= end * this.fps) {
      events.push(...(await this.#stream.push(this.#shown, this.#tick / this.fps)));
      this.#tick += 1;
    }
    if (moment > end) this.#tick = Math.max(this.#tick, roundHalfEven(moment * this.fps));
    return events;
  }

  /** Hand out events, after warnings that were not given yet. */
  #tell(events) {
    for (const word of this.#stream.warnings) {
      if (this.#said.has(word)) continue;
      this.#said.add(word);
      this.onEvent({ type: "warning", text: word });
    }
    for (const event of events) {
      const isWindow = event.type === "window";
      this.onEvent(isWindow ? { ...event, t: rounded(event.frame / this.fps, 3) } : event);
    }
  }
}
