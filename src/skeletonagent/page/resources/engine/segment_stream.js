/**
 * Segments of a stream of frames: found as the frames come, alike for files and cameras.
 * @module
 */

import { explainLabel } from "./explain.js";
import { SegmentJoiner } from "./joining.js";
import { SpanLabeller, UNKNOWN_LABEL, labelOf, possible } from "./labelling.js";
import { jointMovement } from "./movement.js";
import { largestFirst, roundHalfEven, rounded } from "./numbers.js";
import { nearestPairs } from "./pairs.js";
import { PersonTrack } from "./track.js";

/** @typedef {import("./track.js").TrackItem} TrackItem */

/**
 * What a stream is recognized with.
 * @typedef {object} StreamTask
 * @property {(clips: TrackItem[]) => Promise<Float64Array[]>} classify Returns the class
 *     probabilities of clips.
 * @property {import("./segment_settings.js").SegmentSettings} settings
 * @property {any} description Description of the recognizer.
 * @property {number|null} fps Frames a second; null if unknown.
 * @property {number} topK Classes that are listed for a segment.
 * @property {(frames: Float32Array[]) => string|null} [checkSource] Comparison of the first frames
 *     with the training clips.
 */

/** Stream of frames of which segments are found while they come. */
export class SegmentStream {
  #tracks = new Map();
  #labellers = new Map();
  #waiting = [];
  #words = new Set();
  #tooShort = 0;
  #origin = null;
  #unchecked;
  #joiner;

  /**
   * @param {StreamTask} task
   * @param {boolean} previews Whether there is an event for a movement that goes on.
   * @param {number} clipsAtOnce Clips that are collected before they are classified together.
   */
  constructor(task, previews, clipsAtOnce) {
    this.task = task;
    this.previews = previews;
    this.clipsAtOnce = clipsAtOnce;
    this.frame = 0;
    this.#joiner = new SegmentJoiner(task.settings.join);
    this.#unchecked = task.checkSource ? [] : null;
    const { channels, coordinates } = task.description.input;
    this.format = { channels, coordinates };
  }

  /** @returns {string[]} What was left out or taken for something else so far, in words. */
  get warnings() {
    const { shortest_seconds: seconds } = this.task.settings.constants;
    const words = [...this.#words];
    if (this.#tooShort === 1) {
      words.push(`a movement of less than ${seconds} s is left out`);
    } else if (this.#tooShort) {
      words.push(`${this.#tooShort} movements of less than ${seconds} s are left out`);
    }
    return words;
  }

  /**
   * Keep a sentence for the warnings.
   * @param {string} word
   */
  note(word) {
    this.#words.add(word);
  }

  /**
   * Take the next frame, and return what is known now that was not before.
   * @param {Map<string, Float32Array>} bodies V, C of each person that is seen.
   * @param {number} [timestamp] Time in seconds from any zero; frames that were dropped since the
   *     last one count as frames of nobody.
   * @returns {Promise<object[]>}
   */
  async push(bodies, timestamp) {
    const dropped = timestamp === undefined ? 0 : this.#frameAt(timestamp) - this.frame;
    if (dropped < 0) {
      this.#words.add("frames that came too late are left out");
      return [];
    }
    // After so many frames of nobody, nothing is remembered that further ones could change.
    const apart = Math.min(dropped, this.#forgottenAfter + 1);
    for (let count = 0; count < apart; count += 1) this.#take(new Map());
    this.frame += dropped - apart;
    this.#take(bodies);
    return this.#events(false);
  }

  /**
   * Return what was still open; the stream may then go on as a new one.
   * @returns {Promise<object[]>}
   */
  async finish() {
    for (const key of [...this.#tracks.keys()]) this.#end(key);
    this.#check();
    return this.#events(true);
  }

  #frameAt(timestamp) {
    const { fps } = this.task.settings;
    if (this.#origin === null) this.#origin = timestamp - this.frame / fps;
    return roundHalfEven((timestamp - this.#origin) * fps);
  }

  get #forgottenAfter() {
    return 3 * this.task.settings.spanRules.pause;
  }

  /** Hand the bodies of a frame to their tracks. */
  #take(bodies) {
    const { settings, description } = this.task;
    if (this.#unchecked !== null && bodies.size) {
      this.#unchecked.push(bodies.get([...bodies.keys()].sort()[0]));
      const enough = settings.constants.checked_seconds * settings.fps;
      if (this.#unchecked.length >= enough) this.#check();
    }
    const size = description.input.layout.joints.length * this.format.channels;
    const absent = new Float32Array(size).fill(NaN);
    for (const [key, { names, together }] of this.#present(bodies)) {
      if (!this.#tracks.has(key)) {
        const track = new PersonTrack(
          names.join("+"), settings, this.format, this.previews, this.frame,
        );
        this.#tracks.set(key, track);
      }
      const joints = names.map((name) => bodies.get(name) ?? absent);
      this.#waiting.push(...this.#tracks.get(key).push(joints, together));
    }
    this.frame += 1;
    for (const [key, track] of [...this.#tracks]) {
      if (track.absent > this.#forgottenAfter && track.isStill) this.#end(key);
    }
  }

  /** Compare the first frames with the training clips, once. */
  #check() {
    const frames = this.#unchecked;
    this.#unchecked = null;
    if (!frames?.length) return;
    const word = this.task.checkSource(frames);
    if (word) this.#words.add(word);
  }

  /** Return the tracks of a frame, those there are and new ones, and whether they are seen. */
  #present(bodies) {
    const { settings, description } = this.task;
    const { channels, coordinates } = this.format;
    const seen = [];
    if (settings.singles.some(Boolean)) seen.push(...[...bodies.keys()].map((name) => [name]));
    if (settings.pairs.some(Boolean) && description.persons > 1) {
      seen.push(...nearestPairs(bodies, channels, coordinates));
    }
    const keys = new Set(seen.map((names) => JSON.stringify(names)));
    const compare = (a, b) => (a < b ? -1 : Number(a > b));
    seen.sort((a, b) => compare(a[0], b[0]) || compare(a[1] ?? "", b[1] ?? ""));
    const found = new Map();
    for (const key of [...this.#tracks.keys(), ...seen.map((names) => JSON.stringify(names))]) {
      found.set(key, { names: JSON.parse(key), together: keys.has(key) });
    }
    return found;
  }

  #end(key) {
    const track = this.#tracks.get(key);
    this.#tracks.delete(key);
    this.#waiting.push(...track.finish());
    this.#tooShort += track.tooShort;
  }

  /** Classify what is waiting, if that is enough, and return the events. */
  async #events(allOfThem) {
    const clips = this.#waiting.filter((item) => item.kind === "clip");
    const enough = this.clipsAtOnce > 1 ? this.clipsAtOnce : 0;
    if (clips.length < enough && !allOfThem) return [];
    const items = this.#waiting;
    this.#waiting = [];
    const probs = clips.length ? await this.task.classify(clips) : [];
    if (!probs.every((row) => row.every(Number.isFinite))) {
      this.#words.add("coordinates are too large or too small to recognize anything");
    }
    const events = this.#labelled(items, probs);
    const tracks = [...this.#tracks.values()];
    const began = new Map(tracks.map((track) => [track.name, track.movementFrom]));
    return [...events, ...this.#segments(this.#joiner.settle(began))];
  }

  #labelled(items, probs) {
    const events = [];
    let next = 0;
    for (const item of items) {
      if (item.kind === "end") {
        const labeller = this.#labellers.get(item.track);
        this.#labellers.delete(item.track);
        events.push(...this.#joined(item.track, labeller.finish(item.end)));
        continue;
      }
      const own = probs[next];
      next += 1;
      const rules = this.task.settings.labelRules(item.shape[0] > 1);
      if (item.isPreview) {
        events.push(this.#preview(item, own, rules));
        continue;
      }
      const movement = jointMovement(item.joints, item.shape, this.format.coordinates);
      const clip = { start: item.start, end: item.end, probs: own, movement };
      if (!this.#labellers.has(item.track)) {
        this.#labellers.set(item.track, new SpanLabeller(rules, item.span));
      }
      events.push(...this.#joined(item.track, this.#labellers.get(item.track).add(clip)));
    }
    return events;
  }

  #joined(track, spans) {
    return spans.flatMap((span) => this.#segments(this.#joiner.add(track, span)));
  }

  #segments(spans) {
    return spans.map(([person, span]) => ({ type: "segment", ...this.#segment(person, span) }));
  }

  #preview(item, probs, rules) {
    const shares = possible(rules, probs);
    const label = labelOf(rules, shares);
    const top = this.#top(shares);
    return {
      type: "window",
      person: item.track,
      frame: item.end,
      label: label >= 0 ? this.task.settings.classNames[label] : UNKNOWN_LABEL,
      score: rounded(top[0].score, 6),
      top: top.slice(0, this.task.topK).map(share),
    };
  }

  #segment(person, span) {
    const top = this.#top(span.probs);
    const { description, settings, topK } = this.task;
    const score = span.label === null ? Math.max(...span.probs) : span.probs[span.label];
    return {
      person,
      start_frame: span.start,
      end_frame: span.end,
      start: secondsOf(span.start, this.task.fps),
      end: secondsOf(span.end, this.task.fps),
      label: span.label === null ? UNKNOWN_LABEL : settings.classNames[span.label],
      score: rounded(score, 6),
      top: top.slice(0, topK).map(share),
      explanation: explainLabel(span.label, top, span.movement, description),
    };
  }

  /** Return the most probable classes, at least two, best first. */
  #top(probs) {
    const names = this.task.settings.classNames;
    return largestFirst(probs)
      .slice(0, Math.max(2, this.task.topK))
      .map((label) => ({ label: names[label], score: probs[label] }));
  }
}

/**
 * Return the time of a frame in seconds, as a prediction states it; null without a frame rate.
 * @param {number} frame
 * @param {number|null} fps
 * @returns {number|null}
 */
export function secondsOf(frame, fps) {
  return fps === null ? null : rounded(frame / fps, 3);
}

const share = ({ label, score }) => ({ label, score: rounded(score, 6) });
