// The timeline: for each person its actions and their probabilities, above one ruler.

import { clamp, clockTime, html, onResize, percent } from "./dom.js";
import { UNKNOWN, personName } from "./labels.js";
import { scoreChart, windowsOf } from "./scores.js";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const TICK_PIXELS = 76;
const ZOOMS = [1, 2, 4, 8, 16, 32];
/** Width that a usual action has at first, where that needs no zoom beyond the largest. */
const LEGIBLE_PIXELS = 84, LARGEST_FIRST_ZOOM = 8;
/** Time that is shown of a camera at least, in seconds. */
const LIVE_SECONDS = 10;
/** Share of the view that stays ahead of the playhead. */
const AHEAD = 0.15;

export class Timeline {
  #zoom = 0;
  #frame = 0;
  #selected = null;
  #content = null;
  #drag = null;

  /**
   * @param {{looks: import("./theme.js").Looks, onSeek: (frame: number) => void, onSelect: (id: number) => void, onMove: (id: number, changes: object) => void}} options
   */
  constructor(options) {
    Object.assign(this, options);
    this.ruler = html("div", { class: "ruler", "aria-hidden": "true" });
    this.rows = html("div", { class: "rows" });
    this.playhead = html("div", { class: "playhead", "aria-hidden": "true" });
    this.sheet = html("div", { class: "sheet" }, this.ruler, this.rows, this.playhead);
    this.view = html("div", { class: "timeline", tabindex: -1 }, this.sheet);
    this.out = this.#zoomButton("−", "Show more of the time", -1);
    this.in = this.#zoomButton("+", "Show less of the time, larger", 1);
    this.zoomer = html("div", { class: "group", role: "group", "aria-label": "Zoom of the timeline" }, this.out, this.in);
    this.sheet.addEventListener("pointerdown", (event) => this.#press(event));
    this.sheet.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) this.sheet.addEventListener(name, (event) => this.#release(event));
    onResize(this.view, () => this.#rule());
  }

  /** @param {{recording: import("./recording.js").Recording, labels: import("./labels.js").Labels, timeline: import("./recognizer.js").TimelineWindow[], threshold: number|null}} content */
  show(content) {
    this.#content = content;
    this.#resize(this.#legibleZoom());
    this.refresh();
  }

  /** Return the least zoom at which labels of usual actions can be read. */
  #legibleZoom() {
    const lengths = this.#content.labels.items.map((item) => item.end - item.start).sort((a, b) => a - b);
    const usual = lengths[Math.floor(lengths.length / 2)] ?? this.frames;
    const wanted = (LEGIBLE_PIXELS * this.frames) / (usual * (this.view.clientWidth || Infinity));
    const found = ZOOMS.findIndex((zoom) => zoom >= wanted);
    return clamp(found < 0 ? ZOOMS.length : found, 0, ZOOMS.indexOf(LARGEST_FIRST_ZOOM));
  }

  /** Draw all rows anew. */
  refresh() {
    if (!this.#content) return;
    const focused = this.rows.contains(document.activeElement) ? Number(document.activeElement.dataset.id) : null;
    this.rows.replaceChildren(...this.persons.map((person) => this.#row(person)));
    this.#rule();
    this.setFrame(this.#frame);
    if (focused) this.rows.querySelector(`[data-id="${focused}"]`)?.focus();
  }

  /** Persons that have a row: those who were seen, then those who act together. */
  get persons() {
    const { recording, labels, timeline } = this.#content;
    return [...new Set([...recording.persons, ...labels.items.map((item) => item.person), ...timeline.map((window) => window.person)])];
  }

  get frames() {
    const { frames, fps, live } = this.#content?.recording ?? { frames: 1 };
    return Math.max(1, frames, live && !this.#content.ended ? LIVE_SECONDS * fps : 0);
  }

  setFrame(frame) {
    this.#frame = frame;
    this.playhead.style.left = `${(100 * frame) / this.frames}%`;
  }

  /** Move the view so that the playhead is in it. */
  follow() {
    const { scrollLeft, clientWidth, scrollWidth } = this.view;
    if (scrollWidth <= clientWidth || this.#drag) return;
    const at = (this.#frame / this.frames) * scrollWidth;
    if (at < scrollLeft || at > scrollLeft + (1 - AHEAD) * clientWidth) this.view.scrollLeft = at - AHEAD * clientWidth;
  }

  select(id) {
    this.#selected = id;
    for (const action of this.rows.querySelectorAll(".action")) action.setAttribute("aria-pressed", Number(action.dataset.id) === id);
    for (const handle of this.rows.querySelectorAll(".handle")) handle.remove();
    const item = this.#content?.labels.find(id), chosen = this.rows.querySelector(`[data-id="${id}"]`);
    if (!item || !chosen) return;
    for (const actions of this.rows.querySelectorAll(".actions")) this.#rove(actions);
    for (const side of ["start", "end"]) {
      chosen.parentElement.append(html("span", { class: `handle ${side}`, "data-side": side, "aria-hidden": "true", style: { left: this.#share(item[side]) } }));
    }
  }

  #share(frame) { return `${(100 * frame) / this.frames}%`; }

  #row(person) {
    const { labels, timeline, threshold } = this.#content;
    const together = person.split("+"), own = labels.items.filter((item) => item.person === person);
    const look = this.looks.ofPerson(together[0]);
    const words = personName(person), name = words.charAt(0).toUpperCase() + words.slice(1);
    const actions = html("div", { class: "actions" }, own.map((item) => this.#action(item, name)));
    this.#rove(actions);
    return html("div", { class: "row", role: "group", "aria-label": `${name}, ${own.length === 1 ? "one action" : `${own.length} actions`}` },
      html("p", { class: "who" }, html("span", { class: `badge dash${look.number % 4}`, style: { "--person": `var(${look.variable})` } }, person === "all" ? "∗" : person), words === person ? null : name),
      scoreChart({ windows: windowsOf(timeline, person), frames: this.frames, threshold, looks: this.looks, person, labels: new Set(own.map((item) => item.label)) }),
      actions);
  }

  #action(item, name) {
    const { recording } = this.#content;
    const unknown = item.label === UNKNOWN;
    const from = clockTime(item.start / recording.fps), to = clockTime(item.end / recording.fps);
    const score = item.score === null ? "by you" : percent(item.score);
    return html("button", {
      type: "button", class: `action${unknown ? " unknown" : ""}${item.origin === "found" ? "" : " own"}`, "data-id": item.id,
      "aria-pressed": item.id === this.#selected, title: `${item.label}, ${score}, ${from} to ${to}`,
      "aria-label": `${item.label}, ${score}, ${name}, from ${from} to ${to}`,
      style: { left: this.#share(item.start), width: this.#share(item.end - item.start), ...(unknown ? {} : { "--class": `var(${this.looks.ofClass(item.label).variable})` }) },
      on: { click: () => this.onSelect(item.id), keydown: (event) => this.#key(event, item.id) },
    }, html("span", { class: "name" }, unknown ? "? unknown" : item.label), html("span", { class: "score" }, score));
  }

  /** Let one action of a row be reached by Tab, the others by arrows. */
  #rove(actions) {
    const buttons = [...actions.querySelectorAll(".action")];
    const first = buttons.find((each) => Number(each.dataset.id) === this.#selected) ?? buttons[0];
    for (const each of buttons) each.tabIndex = each === first ? 0 : -1;
  }

  #key(event, id) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const buttons = [...event.currentTarget.parentElement.querySelectorAll(".action")];
    const other = buttons[buttons.findIndex((each) => Number(each.dataset.id) === id) + move];
    if (!other) return;
    this.onSelect(Number(other.dataset.id));
    this.rows.querySelector(`[data-id="${other.dataset.id}"]`)?.focus();
  }

  #frameAt(event) {
    const { left, width } = this.sheet.getBoundingClientRect();
    return clamp(((event.clientX - left) / width) * this.frames, 0, this.frames);
  }

  #press(event) {
    if (!this.#content || event.button !== 0) return;
    const side = event.target.dataset?.side;
    if (side) {
      this.#drag = { side, id: this.#selected, element: event.target };
    } else if (event.target.closest(".action")) return;
    else {
      // On a touch screen a finger along the rows scrolls; the ruler is for the time.
      if (event.pointerType === "touch" && !event.target.closest(".ruler") && this.view.scrollWidth > this.view.clientWidth) return;
      this.#drag = { side: null };
      this.onSeek(this.#frameAt(event));
    }
    event.preventDefault();
    this.sheet.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!this.#drag) return;
    const frame = this.#frameAt(event);
    if (this.#drag.side) {
      const item = this.#content.labels.find(this.#drag.id), at = Math.round(frame);
      if (!item) return;
      this.#drag.frame = this.#drag.side === "start" ? clamp(at, 0, item.end - 1) : clamp(at, item.start + 1, this.frames);
      const [start, end] = this.#drag.side === "start" ? [this.#drag.frame, item.end] : [item.start, this.#drag.frame];
      const action = this.rows.querySelector(`[data-id="${item.id}"]`);
      Object.assign(action.style, { left: this.#share(start), width: this.#share(end - start) });
      this.#drag.element.style.left = this.#share(this.#drag.frame);
    }
    this.onSeek(Math.min(frame, this.frames - 1), Boolean(this.#drag.side));
  }

  #release() {
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.side && drag.frame !== undefined) this.onMove(drag.id, { [drag.side]: drag.frame });
  }

  #zoomButton(text, name, step) {
    return html("button", { type: "button", class: "icon", "aria-label": name, on: { click: () => this.#resize(clamp(this.#zoom + step, 0, ZOOMS.length - 1)) } }, text);
  }

  #resize(zoom) {
    this.#zoom = zoom;
    this.sheet.style.width = `${100 * ZOOMS[zoom]}%`;
    this.out.disabled = zoom === 0;
    this.in.disabled = zoom === ZOOMS.length - 1;
    this.view.tabIndex = zoom ? 0 : -1; // what scrolls can be reached
    this.#rule();
    this.follow();
  }

  #rule() {
    if (!this.#content) return;
    const seconds = this.frames / this.#content.recording.fps, width = this.sheet.clientWidth;
    if (!width) return;
    const step = STEPS.find((each) => (each / seconds) * width >= TICK_PIXELS) ?? STEPS.at(-1);
    const digits = step < 1 ? 1 : 0;
    const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, number) => number * step);
    this.ruler.replaceChildren(...ticks.map((time) => html("span", { style: { left: `${(100 * time) / seconds}%` } }, clockTime(time, digits))));
  }
}
