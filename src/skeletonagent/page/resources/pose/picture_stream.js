/**
 * Stream of pictures: joints are found in each that is not dropped, and handed to the recognizer.
 * @module
 */

import { rounded } from "../engine/numbers.js";

/** @implements {import("../recognizer.js").Stream} */
export class PictureStream {
  #poses;
  #estimator;
  #session;
  #onEvent;
  #work = null;
  #isFirst = true;
  #isOver = false;

  /**
   * @param {import("./browser_poses.js").BrowserPoses} poses
   * @param {import("../engine/stream_session.js").StreamSession} session Stream of the joints.
   * @param {(event: import("../recognizer.js").StreamEvent) => void} onEvent
   */
  constructor(poses, session, onEvent) {
    this.#poses = poses;
    this.#estimator = poses.estimator();
    this.#session = session;
    this.#onEvent = onEvent;
  }

  /**
   * Take a picture; false where it is dropped because another is under way.
   * @param {{t: number, picture: HTMLCanvasElement}} frame
   * @returns {boolean}
   */
  push({ t, picture }) {
    if (this.#isOver || this.#work) return false;
    const { width, height } = picture;
    const image = picture.getContext("2d").getImageData(0, 0, width, height);
    this.#work = this.#take(image, t).catch((error) => {
      this.#isOver = true;
      this.#onEvent({ type: "error", text: error.message });
    }).finally(() => { this.#work = null; });
    return true;
  }

  /** Resolve after the last events have been handed out. */
  async end() {
    this.#isOver = true;
    await this.#work;
    await this.#session.end();
  }

  async #take(image, t) {
    const persons = await this.#estimator.step(image, t);
    const named = (joints) => Object.fromEntries(persons.map((person) => [person.number, joints(person)]));
    const { joints: names, bones } = this.#poses.facts.layout;
    const skeleton = this.#isFirst ? { names, bones } : {}; // other joints than those of the recognizer
    this.#isFirst = false;
    this.#onEvent({ type: "frame", t: rounded(t, 3), bodies: named((person) => this.#poses.drawn(person)), ...skeleton });
    this.#session.push({ t, bodies: named((person) => this.#poses.joints(person)) });
    await new Promise((resolve) => { setTimeout(resolve); }); // the page stays alive
  }
}
