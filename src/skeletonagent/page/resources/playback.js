// The clock of a recording: it plays, stops, jumps and says where it is.

import { clamp } from "./dom.js";

export const SPEEDS = [0.25, 0.5, 1, 2];

/** Emits `move` when the frame changes, and `state` when it begins or ends to play. */
export class Playback extends EventTarget {
  frame = 0;
  playing = false;
  speed = 1;
  #timer = 0;

  constructor(frames, fps) {
    super();
    this.frames = frames;
    this.fps = fps;
  }

  get last() { return Math.max(0, this.frames - 1); }
  get seconds() { return this.frame / this.fps; }

  toggle() { this.playing ? this.pause() : this.play(); }

  play() {
    if (this.playing || this.frames < 2) return;
    if (this.frame >= this.last) this.frame = 0;
    this.playing = true;
    let before = performance.now();
    const step = (now) => {
      if (!this.playing) return;
      this.#go(this.frame + ((now - before) / 1000) * this.fps * this.speed);
      before = now;
      if (this.frame >= this.last) this.pause();
      else this.#timer = requestAnimationFrame(step);
    };
    this.#timer = requestAnimationFrame(step);
    this.dispatchEvent(new Event("state"));
  }

  pause() {
    cancelAnimationFrame(this.#timer);
    if (!this.playing) return;
    this.playing = false;
    this.dispatchEvent(new Event("state"));
  }

  /** Go to a frame and stay there, or play on from there. */
  seek(frame) {
    this.#go(frame);
  }

  /** Go some whole frames on or back, and stop. */
  step(frames) {
    this.pause();
    this.#go(Math.round(this.frame) + frames);
  }

  #go(frame) {
    this.frame = clamp(frame, 0, this.last);
    this.dispatchEvent(new Event("move"));
  }
}
