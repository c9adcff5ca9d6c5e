// What is seen of a recording: stage, timeline, explanation and corrections, kept in step.

import { button, clockTime, html, icon, percent, say } from "./dom.js";
import { Editor, savePanel } from "./editor.js";
import { Labels, UNKNOWN, personName } from "./labels.js";
import { Playback, SPEEDS } from "./playback.js";
import { scoresAt, windowsOf } from "./scores.js";
import { Stage } from "./stage.js";
import { Looks } from "./theme.js";
import { Timeline } from "./timeline.js";
import { Why } from "./why.js";

/** Length of an action that the reader adds, in seconds. */
const NEW_ACTION_SECONDS = 1;
/** Longest time that a first word on a movement stands for, in seconds. */
const PREVIEW_SECONDS = 1;

export class Workbench {
  /** @type {Labels|null} */
  labels = null;
  #content = null;
  #selected = null;
  #playback = new Playback(1, 1);
  #jointInFocus = null;
  #refreshed = 0;

  /** @param {HTMLElement} place @param {import("./recognizer.js").Model} model */
  constructor(place, model) {
    this.place = place;
    this.model = model;
    this.looks = new Looks();
    this.stage = new Stage(this.looks);
    this.stage.caption((frame) => this.#captions(frame));
    this.timeline = new Timeline({
      looks: this.looks, onSeek: (frame, keeps) => this.seek(frame, keeps), onSelect: (id) => this.select(id, true),
      onMove: (id, changes) => this.labels.change(id, changes),
    });
    this.why = new Why({ looks: this.looks, onJoint: (joint) => { this.#jointInFocus = joint; this.#mark(); } });
    this.editor = new Editor({ looks: this.looks, actions: this });
    this.save = savePanel(() => ({ ...this.#content, labels: this.labels }));
    this.editor.setClasses(model.class_names);
    this.#build();
  }

  /**
   * Show a recording and what was recognized in it.
   * @param {{recording: import("./recording.js").Recording, prediction: import("./recognizer.js").Prediction|null, labels?: Labels, warnings: string[], file: string, fromVideo: boolean, picture: HTMLVideoElement|null, live?: boolean}} content
   */
  show(content) {
    this.#playback.pause();
    const { recording, prediction, picture = null } = content;
    this.#content = { threshold: prediction?.engine?.threshold ?? this.model.threshold ?? null, ...content, guessedRate: content.warnings.some((text) => text.startsWith("frames a second are unknown")) };
    this.labels = content.labels ?? new Labels(prediction?.segments ?? [], recording.frames);
    this.labels.addEventListener("change", ({ detail }) => this.#changed(detail));
    this.windows = content.windows ?? prediction?.timeline ?? [];
    for (const { label } of this.labels.items) if (label !== UNKNOWN) this.looks.ofClass(label);
    for (const person of recording.persons) this.looks.ofPerson(person);
    this.#playback = new Playback(recording.frames, recording.fps);
    this.#playback.addEventListener("move", () => this.#moved());
    this.#playback.addEventListener("state", () => this.#played());
    this.place.hidden = false;
    this.place.classList.toggle("live", Boolean(content.live));
    this.stage.show(recording, picture);
    this.timeline.show({ recording, labels: this.labels, timeline: this.windows, threshold: this.#content.threshold, ended: !content.live });
    this.#refreshed = 0;
    this.scrubber.max = String(this.#playback.last);
    this.notice(content.warnings);
    this.save.reset();
    this.#selected = null;
    this.select(this.labels.items[0]?.id ?? null, true);
    if (!this.labels.items.length) this.seek(0);
    this.#refresh();
  }

  get current() { return this.#content; }
  get playback() { return this.#playback; }

  /** Say what the reader should know about the result. */
  notice(warnings) {
    const unique = [...new Set(warnings)];
    this.notices.hidden = !unique.length;
    this.notices.replaceChildren(html("h2", { class: "unseen" }, "Remarks"), html("ul", {}, unique.map((text) => html("li", {}, text))));
  }

  /** Follow a recording that grows. */
  grown(frame) {
    Object.assign(this.#playback, { frames: Math.max(this.#playback.frames, frame + 1), frame });
    this.scrubber.max = String(this.#playback.last);
    if (frame - this.#refreshed > this.#playback.fps / 2) {
      this.#refreshed = frame;
      this.timeline.refresh();
    }
    this.#moved();
  }

  /** Take a segment of a stream. */
  grow(segment) {
    const item = this.labels.grow(segment, this.#content.recording.frames);
    this.select(item.id, false);
    say(`${item.label}, ${percent(item.score)}`);
  }

  /** Take the first word on a movement of a stream: its probabilities until now. */
  preview({ person, frame, top }) {
    const before = this.windows.findLast((window) => window.person === person)?.end_frame ?? -Infinity;
    const start = Math.max(0, before, frame - Math.round(PREVIEW_SECONDS * this.#content.recording.fps));
    this.windows.push({ person, start_frame: start, end_frame: frame, scores: Object.fromEntries(top.map(({ label, score }) => [label, score])) });
    this.timeline.refresh();
  }

  // Moving.

  toggle() { this.#playback.toggle(); }
  step(frames) { this.#playback.step(frames); }

  /** Go to a frame; the selection follows unless it is to be kept. */
  seek(frame, keeps = false) {
    this.#keeps = keeps;
    this.#playback.seek(frame);
    this.#keeps = false;
  }

  #keeps = false;

  /** Select an action, and go to where it begins. */
  select(id, goes = true) {
    const item = this.labels?.find(id) ?? null;
    this.#selected = item?.id ?? null;
    if (item && goes) this.seek(item.start, true);
    this.timeline.select(this.#selected);
    this.editor.show({ labels: this.labels, recording: this.#content.recording, selected: this.#selected });
    this.why.show(item, { ...this.#content, model: this.model });
    this.#mark();
  }

  /** Select the next action, or the one before. */
  selectNext(step) {
    const { items } = this.labels, { frame } = this.#playback;
    const at = items.findIndex((item) => item.id === this.#selected && item.start <= frame && frame < item.end);
    const beside = step > 0 ? items.find((item) => item.start > frame) : items.findLast((item) => item.start < frame);
    const next = at < 0 ? beside : items[at + step];
    if (!next) return;
    this.select(next.id);
    say(`${next.label}, ${personName(next.person)}, from ${clockTime(next.start / this.#content.recording.fps)}`);
  }

  // Correcting; the names are those that the form and the keys call.

  change(id, changes) { this.labels.change(id, changes); }
  toStart() { this.labels.change(this.#selected, { start: this.#playback.frame }); }
  toEnd() { this.labels.change(this.#selected, { end: this.#playback.frame + 1 }); }
  undo() { this.labels?.undo(); }
  redo() { this.labels?.redo(); }

  split() {
    const id = this.labels.split(this.#selected, this.#playback.frame);
    if (id === null) say("Move the playhead into the action to split it there.");
    else this.select(id, false);
  }

  remove() {
    const at = this.labels.items.findIndex((item) => item.id === this.#selected);
    this.labels.remove(this.#selected);
    const next = this.labels.items[Math.min(at, this.labels.items.length - 1)];
    this.select(next?.id ?? null, false);
  }

  add() {
    const { recording } = this.#content, start = Math.floor(this.#playback.frame);
    const person = this.labels.find(this.#selected)?.person ?? recording.persons[0] ?? "1";
    const after = this.labels.items.find((item) => item.person === person && item.start > start)?.start ?? recording.frames;
    const end = Math.min(after, start + Math.max(2, Math.round(NEW_ACTION_SECONDS * recording.fps)));
    const best = scoresAt(windowsOf(this.windows, person), start)[0]?.label;
    this.select(this.labels.add({ person, start, end, label: best ?? this.model.class_names[0] }), false);
    this.editor.focusLabel();
  }

  #changed(words) {
    if (!this.labels.find(this.#selected)) this.#selected = null;
    this.timeline.refresh();
    this.select(this.#selected, false);
    this.#refresh();
    if (words) say(words);
  }

  #refresh() {
    this.save.refresh();
    this.stage.draw();
  }

  // Showing.

  #moved() {
    const { frame, seconds } = this.#playback, { recording } = this.#content;
    this.stage.frame = frame;
    this.timeline.setFrame(frame);
    this.timeline.follow();
    this.scrubber.value = String(Math.round(frame));
    this.scrubber.setAttribute("aria-valuetext", `${clockTime(seconds)} of ${clockTime(recording.seconds)}`);
    this.clock.textContent = `${clockTime(seconds)} / ${clockTime(recording.seconds)}`;
    this.#showPicture(seconds);
    if (!this.#keeps) this.#follow(frame);
    const person = this.labels.find(this.#selected)?.person ?? recording.persons[0];
    this.why.showNow(scoresAt(windowsOf(this.windows, person), frame), seconds);
    this.stage.draw();
  }

  /** Select what is done at a frame, of the same person if it does something. */
  #follow(frame) {
    const before = this.labels.find(this.#selected);
    if (this.editor.isTyping || (before && before.start <= frame && frame < before.end)) return;
    const item = this.labels.at(frame, before?.person) ?? this.labels.at(frame);
    if (item) this.select(item.id, false);
  }

  #showPicture(seconds) {
    const { picture, live } = this.#content;
    if (!picture || live) return;
    // The video plays by itself at its speed; it is only put right where it has drifted.
    const drift = Math.abs(picture.currentTime - seconds);
    if (drift > (this.#playback.playing ? 0.25 : 0.001)) picture.currentTime = seconds;
  }

  #played() {
    const { playing, speed } = this.#playback;
    this.playButton.firstChild.replaceWith(icon(playing ? "pause" : "play"));
    this.playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    const { picture, live } = this.#content;
    if (!picture || live) return;
    picture.playbackRate = speed;
    if (playing) picture.play().catch(() => { /* it is put right at every frame instead */ });
    else picture.pause();
  }

  #captions(frame) {
    if (this.#content?.captions) return this.#content.captions(frame);
    return this.#content.recording.persons.flatMap((person) => {
      const item = this.labels.items.findLast((each) => each.start <= frame && frame < each.end && this.#personsOf(each).includes(person));
      return item ? [{ person, text: item.score === null ? item.label : `${item.label} ${percent(item.score)}` }] : [];
    });
  }

  #personsOf({ person }) {
    const { persons } = this.#content.recording;
    return persons.includes(person) ? [person] : person === "all" ? persons : person.split("+");
  }

  #mark() {
    const item = this.labels?.find(this.#selected), { recording } = this.#content;
    const weights = new Map((item?.explanation.joints ?? []).map(({ joint, weight }) => [recording.jointIndex(joint), weight]));
    this.stage.mark({ persons: item ? this.#personsOf(item) : [], weights, focus: this.#jointInFocus });
    this.legend.hidden = !weights.size;
  }

  #build() {
    const { stage, timeline, why, editor } = this;
    this.notices = html("aside", { class: "notices", "aria-label": "Remarks", hidden: true });
    this.playButton = button("play", null, () => this.toggle(), { class: "icon round primary", "aria-label": "Play", id: "play", title: "Play or pause (Space)" });
    this.scrubber = html("input", { type: "range", id: "scrubber", min: 0, max: 1, step: 1, value: 0, "aria-label": "Time", on: { input: () => this.seek(Number(this.scrubber.value)) } });
    this.clock = html("output", { class: "clock", "aria-hidden": "true" });
    const speed = html("select", { id: "speed", "aria-label": "Speed", on: { change: () => { this.#playback.speed = Number(speed.value); if (this.#content.picture) this.#content.picture.playbackRate = Number(speed.value); } } },
      SPEEDS.map((value) => html("option", { value, selected: value === 1 }, `${value}×`)));
    this.legend = html("p", { class: "legend dim small" }, legendItem("ring", "joints that mattered for the selected action"));
    const transport = html("div", { class: "transport" },
      button("back", null, () => this.selectNext(-1), { class: "icon", "aria-label": "Previous action", title: "Previous action (Up)" }), this.playButton,
      button("forward", null, () => this.selectNext(1), { class: "icon", "aria-label": "Next action", title: "Next action (Down)" }),
      this.scrubber, this.clock, speed);
    const scoreLegend = html("p", { class: "legend dim small" }, legendItem("curve", "probability in a window that moves along"), legendItem("bar", "least probability of a label"), legendItem("swatch unknown", "unknown"));
    this.place.replaceChildren(
      this.notices,
      html("div", { class: "upper" },
        html("div", { class: "card theatre" }, stage.box, transport, html("div", { class: "under" }, this.legend, why.now)),
        html("div", { class: "card times" },
          html("div", { class: "head" }, html("h2", {}, "Timeline"), editor.history, timeline.zoomer),
          timeline.view, scoreLegend, editor.form),
        html("div", { class: "card side" }, why.box)),
      html("div", { class: "lower" },
        html("div", { class: "card" }, html("h2", {}, "All actions"), editor.list),
        html("div", { class: "card" }, html("h2", {}, "Take it with you"), this.save.box)));
  }
}

const legendItem = (mark, text) => html("span", {}, html("i", { class: mark, "aria-hidden": "true" }), text);
