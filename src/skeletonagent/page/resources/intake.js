// How a recording comes in: dropped, chosen or from the camera; what is being done; the token.

import { asSentence, button, counted, html, icon, percent, svg } from "./dom.js";
import { hasCamera } from "./camera.js";

const MOST_CLASSES = 30;
const VIDEO = /\.(mp4|mov|mkv|webm|avi|m4v)$/i;
const HELLO = "M60 36V72L47 110M60 72L73 110M81 48L60 44L41 50L33 74";
const HELLO_ARM = "M81 48L95 24";
const FORMATS = "CSV, NumPy, OpenPose, COCO, MMPose, MediaPipe, DeepLabCut, SLEAP, BVH, C3D, TRC and more";

const NO_CAMERA = "This browser gives its camera to pages of https, of this computer or of a file alone.";

export const isVideo = (file) => file.type.startsWith("video/") || VIDEO.test(file.name);

/** Where recordings come in. */
export class Intake {
  #model = null;

  /**
   * @param {HTMLElement} place
   * @param {{onFile: (file: File) => void, onCamera: () => void, onCancel: () => void, onAgain: () => void}} listeners
   */
  constructor(place, { onFile, onCamera, onCancel, onAgain }) {
    this.place = place;
    this.onFile = onFile;
    this.picker = html("input", { type: "file", id: "file", class: "unseen", tabindex: -1, "aria-hidden": "true", on: { change: () => { if (this.picker.files[0]) onFile(this.picker.files[0]); this.picker.value = ""; } } });
    this.choose = button("file", "Choose a file", () => this.picker.click(), { class: "primary", id: "choose" });
    this.camera = button("camera", "Use the camera", onCamera, { id: "camera" });
    this.threshold = html("input", { type: "range", id: "threshold", min: 0, max: 1, step: 0.01 });
    this.thresholdText = html("output", { for: "threshold" });
    this.whole = html("input", { type: "checkbox", id: "whole" });
    this.recording = html("input", { id: "recording", autocomplete: "off", spellcheck: "false", maxlength: 500 });
    this.again = button("again", "Recognize again", onAgain, { id: "again" });
    this.cancel = button("close", "Cancel", onCancel, { id: "cancel" });
    this.doing = html("p", { class: "doing" });
    this.progress = html("progress", { "aria-label": "Progress" });
    this.title = html("p", { class: "file" });
    this.threshold.addEventListener("input", () => this.#sayThreshold());
    this.#catchDrops();
  }

  /** @param {import("./recognizer.js").Model} model @param {import("./recognizer.js").Recognizer} recognizer */
  describe(model, recognizer) {
    this.#model = model;
    this.threshold.value = String(model.threshold ?? 0.5);
    this.#sayThreshold();
    const camera = recognizer.acceptsPictures && hasCamera();
    this.camera.hidden = !camera;
    const takes = recognizer.acceptsVideo ? "a keypoint file or a video" : "a keypoint file";
    this.options = html("details", { class: "options" }, html("summary", {}, "Options"),
      html("div", { class: "fields" },
        html("label", { for: "threshold" }, html("span", {}, "Least probability of a label ", this.thresholdText), this.threshold),
        html("label", { class: "inline" }, this.whole, " the whole recording is one action"),
        html("label", {}, html("span", {}, "Name of the recording, where a file holds several"), this.recording)));
    this.actions = html("div", { class: "choices" }, this.choose, this.camera);
    this.drop = html("div", { class: "drop" }, figure(), html("h1", {}, "What are they doing?"),
      html("p", { class: "lead" }, `Drop ${takes} anywhere on this page.`), this.actions,
      html("p", { class: "dim small" }, `${recognizer.formats ?? FORMATS}. `, recognizer.acceptsVideo ? null : whyNoVideo(model)),
      recognizer.acceptsPictures && !camera ? html("p", { class: "dim small" }, NO_CAMERA) : null,
      model.warnings?.length ? html("p", { class: "dim small" }, model.warnings.join(" ")) : null,
      this.options, known(model));
    this.work = html("div", { class: "working", hidden: true }, this.doing, this.progress, this.cancel);
    this.place.replaceChildren(this.picker, this.drop, this.work);
  }

  /** What was chosen under Options. */
  get settings() {
    const threshold = Number(this.threshold.value);
    return { threshold: threshold === this.#model.threshold ? undefined : threshold, clips: this.whole.checked || undefined, recording: this.recording.value.trim() || undefined };
  }

  /** Show the wide place to drop onto, or the narrow line above a result. */
  showState(state, name = "") {
    this.drop.classList.toggle("narrow", state === "shown" || state === "live");
    this.drop.hidden = state === "busy";
    this.work.hidden = state !== "busy";
    this.title.textContent = name;
    this.choose.lastChild.textContent = state === "shown" ? "Another file" : "Choose a file";
    this.choose.hidden = state === "live";
    this.camera.lastChild.textContent = state === "live" ? "Stop the camera" : "Use the camera";
    this.camera.classList.toggle("stop", state === "live");
    this.camera.firstChild.replaceWith(icon(state === "live" ? "stop" : "camera"));
    if (state === "shown") this.actions.replaceChildren(this.title, this.again, this.choose, this.camera);
    else if (state === "live") this.actions.replaceChildren(this.title, this.camera);
    else this.actions.replaceChildren(this.choose, this.camera);
    this.options.hidden = state === "live";
  }

  /** Say what is being done, and how much of it. */
  say(text, share) {
    this.doing.textContent = text;
    if (share === undefined) this.progress.removeAttribute("value");
    else this.progress.value = share;
  }

  #sayThreshold() {
    const value = Number(this.threshold.value);
    this.thresholdText.textContent = percent(value) + (value === this.#model.threshold ? ", as learned in training" : "");
  }

  #catchDrops() {
    let depth = 0;
    const over = (change) => { depth = Math.max(0, depth + change); document.body.classList.toggle("dropping", depth > 0); };
    addEventListener("dragenter", (event) => { event.preventDefault(); over(1); });
    addEventListener("dragleave", () => over(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      over(0);
      const file = event.dataTransfer?.files[0];
      if (file && this.#model) this.onFile(file);
    });
  }
}

/** Return in a sentence why videos are not taken. */
export function whyNoVideo({ why_no_video: why }) {
  return why ? asSentence(why) : "Videos and the camera need pose estimation, which this recognizer does not have here.";
}

/** Return which actions are known. */
function known({ class_names: names }) {
  const chips = (shown) => html("ul", { class: "chips" }, shown.map((name) => html("li", {}, name)));
  const rest = names.slice(MOST_CLASSES);
  return html("div", { class: "known" }, html("h2", {}, `It knows ${counted(names.length, "action")}`), chips(names.slice(0, MOST_CLASSES)),
    rest.length ? html("details", {}, html("summary", {}, `${rest.length} more`), chips(rest)) : null);
}

/** Return a figure that waves. */
function figure() {
  return svg("svg", { class: "hello", viewBox: "0 0 120 120", width: 120, height: 120, "aria-hidden": "true" },
    svg("path", { class: "flesh", d: HELLO }), svg("path", { class: "flesh arm", d: HELLO_ARM }), svg("circle", { class: "flesh", cx: 60, cy: 27, r: 8 }),
    svg("path", { class: "bone", d: HELLO }),
    svg("g", { class: "arm" }, svg("path", { class: "bone", d: HELLO_ARM }), svg("circle", { class: "hand ring", cx: 95, cy: 24, r: 8.5 }), svg("circle", { class: "hand", cx: 95, cy: 24, r: 5 })),
    svg("circle", { class: "head", cx: 60, cy: 27, r: 9 }));
}

/** Ask for the token of the server; return it, or null. */
export function askToken(wrong) {
  const field = html("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const dialog = html("dialog", { "aria-labelledby": "token-title" }, html("form", { method: "dialog" },
    html("h2", { id: "token-title" }, "This server asks for its token"),
    html("p", { class: "dim" }, wrong ? "That was not it. " : "", "It is shown where the server was started."),
    html("label", {}, html("span", {}, "Token"), field),
    html("div", { class: "tools" }, html("button", { type: "submit", class: "primary", value: "ok" }, "Go on"))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => { dialog.remove(); resolve(field.value || null); });
  });
}
