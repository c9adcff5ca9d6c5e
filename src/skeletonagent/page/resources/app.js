// The page: a recording comes in, its actions are shown, explained and corrected.

import { Camera } from "./camera.js";
import { asSentence, button, clockTime, counted, html, percent, say } from "./dom.js";
import { Intake, askToken, isVideo, whyNoVideo } from "./intake.js";
import { startKeys } from "./keys.js";
import { Labels } from "./labels.js";
import { RecognizerError } from "./recognizer.js";
import { Recording } from "./recording.js";
import { startTheme } from "./theme.js";
import { Workbench } from "./workbench.js";

const REFUSED = new Set([401, 403]);

/** Start the page for a recognizer: `new ServerRecognizer()` or one in the browser. */
export function startPage(recognizer) {
  startTheme(document.getElementById("theme"));
  return new App(recognizer).start();
}

class App {
  #file = null;
  #camera = null;
  #underWay = null;
  #picture = null;
  #name = "";

  /** @param {import("./recognizer.js").Recognizer} recognizer */
  constructor(recognizer) {
    this.recognizer = recognizer;
    this.place = document.getElementById("workbench");
    this.problem = document.getElementById("problem");
    this.intake = new Intake(document.getElementById("intake"), {
      onFile: (file) => this.open(file), onCamera: () => this.camera(), onCancel: () => this.#underWay?.abort(), onAgain: () => this.open(this.#file),
    });
  }

  async start() {
    const model = await this.#trying(() => this.recognizer.describe());
    if (!model) return;
    this.model = model;
    this.bench = new Workbench(this.place, model);
    this.intake.describe(model, this.recognizer);
    this.#state("empty");
    const keys = startKeys(() => (this.place.hidden ? null : this.bench));
    document.getElementById("model").replaceChildren(about(model), button("keys", null, () => keys.dialog.showModal(), { class: "icon", "aria-label": "Keys", title: "Keys (?)" }));
    document.title = `${model.name} · SkeletonAgent`;
    document.documentElement.dataset.ready = "";
  }

  /** Recognize what is in a file, and show it. */
  async open(file) {
    if (!file || this.#underWay || this.#camera) return;
    if (isVideo(file) && !this.recognizer.acceptsVideo) return this.#fail(new RecognizerError(`${whyNoVideo(this.model)} Give it a file of keypoints.`));
    const most = this.model.limits?.max_upload;
    if (most && file.size > most * 1e6) return this.#fail(new RecognizerError(`${file.name} has ${(file.size / 1e6).toFixed(0)} MB; at most ${most} MB are taken.`));
    this.#underWay = new AbortController();
    const before = document.body.dataset.state;
    this.#state("busy");
    this.intake.say(`Reading ${file.name}`);
    const options = { ...this.intake.settings, signal: this.#underWay.signal, topK: 5, onProgress: (text, share) => this.intake.say(text, share) };
    const prediction = await this.#trying(() => this.recognizer.predict(file, options));
    this.#underWay = null;
    if (!prediction) return this.#state(before);
    this.#file = file;
    await this.#show(file, prediction);
  }

  async #show(file, prediction) {
    const fromVideo = isVideo(file);
    this.#drop();
    if (fromVideo) this.#picture = await videoOf(file);
    const recording = Recording.of(prediction);
    this.#state("shown", file.name);
    this.bench.show({
      recording, prediction, warnings: prediction.warnings, file: fromVideo ? `${file.name.replace(/\.[^.]+$/, "")}.json` : file.name, fromVideo, picture: this.#picture,
    });
    document.getElementById("main").focus({ preventScroll: true });
    say(summary(prediction, recording));
  }

  /** Switch the camera on or off. */
  async camera() {
    if (this.#camera) return this.#camera.stop();
    if (this.#underWay) return;
    const camera = new Camera(this.recognizer, this.model);
    const before = document.body.dataset.state;
    this.#camera = camera;
    if (!(await this.#trying(async () => { await camera.start(); return true; }))) {
      this.#camera = null;
      return this.#state(before);
    }
    this.#drop();
    this.#file = null;
    const labels = new Labels([], 1), warnings = [], windows = [];
    this.#state("live", "Camera");
    const content = { recording: camera.recording, prediction: null, labels, warnings, windows, file: "camera.json", fromVideo: true };
    this.bench.show({ ...content, picture: camera.video, live: true, captions: (frame) => camera.captions(frame) });
    camera.addEventListener("frame", ({ detail }) => this.bench.grown(detail));
    camera.addEventListener("window", ({ detail }) => this.bench.preview(detail));
    camera.addEventListener("segment", ({ detail }) => this.bench.grow(detail));
    camera.addEventListener("warning", ({ detail }) => { warnings.push(detail); this.bench.notice(warnings); });
    camera.addEventListener("stopped", ({ detail }) => this.#stopped(detail, content));
    say("The camera is on.");
  }

  #stopped(error, content) {
    if (!this.#camera) return;
    this.#camera = null;
    if (error) this.#fail(error);
    const { recording, labels } = content;
    labels.frames = Math.max(labels.frames, recording.frames);
    recording.measure();
    this.#state("shown", "Camera");
    this.intake.again.hidden = true;
    this.bench.show({ ...content, picture: null });
    say(`The camera is off. ${counted(labels.items.length, "action")} in ${clockTime(recording.seconds, 0)}.`);
  }

  #state(state, name = this.#name) {
    this.#name = name;
    document.body.dataset.state = state;
    this.place.hidden = state !== "shown" && state !== "live";
    this.intake.again.hidden = !this.#file;
    this.intake.showState(state, name);
  }

  #drop() {
    this.problem.replaceChildren();
    if (this.#picture) URL.revokeObjectURL(this.#picture.src);
    this.#picture = null;
  }

  /** Return what a function returns; ask for the token where the server does, and say what fails. */
  async #trying(run) {
    this.problem.replaceChildren();
    for (let wrong = false; ; wrong = true) {
      try {
        return await run();
      } catch (error) {
        if (error.name === "AbortError") return null;
        if (REFUSED.has(error.status) && this.recognizer.setToken) {
          const token = await askToken(wrong);
          if (token) { this.recognizer.setToken(token); continue; }
        }
        return this.#fail(error);
      }
    }
  }

  #fail(error) {
    if (!(error instanceof RecognizerError)) console.error(error);
    const wait = error.retryAfter ? ` Try again in ${counted(error.retryAfter, "second")}.` : "";
    this.problem.replaceChildren(html("div", { class: "notice failed" }, html("p", {}, asSentence(error.message) + wait), button("close", null, () => this.problem.replaceChildren(), { class: "icon", "aria-label": "Dismiss" })));
    return null;
  }
}

function summary(prediction, recording) {
  const { segments } = prediction;
  if (!segments.length) return "No action was found.";
  const listed = segments.slice(0, 5).map(({ label, start_frame: start }) => `${label} at ${clockTime(start / recording.fps)}`).join(", ");
  return `${counted(segments.length, "action")} of ${counted(recording.persons.length, "person")}: ${listed}${segments.length > 5 ? " and more" : ""}.`;
}

/** Return a video that plays a file, ready to be shown; null where the browser cannot play it. */
async function videoOf(file) {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true, preload: "auto", src: URL.createObjectURL(file) });
  const plays = await new Promise((resolve) => {
    video.onloadeddata = () => resolve(true);
    video.onerror = () => resolve(false);
  });
  if (!plays) URL.revokeObjectURL(video.src);
  return plays ? video : null;
}

/** Return what the recognizer is, folded. */
function about(model) {
  const facts = [
    ["Skeleton", `${model.layout.name}, ${counted(model.layout.joints.length, "joint")}, ${model.channels} channels`], ["Network", model.backbone], ["Runs on", model.engine],
    ["Actions", String(model.class_names.length)], ["Persons", String(model.persons ?? 1)], ["Least probability", percent(model.threshold ?? 0)],
    ["Frames a second", model.fps ? String(model.fps) : "any"],
  ];
  return html("details", { class: "about" }, html("summary", {}, model.name), html("dl", {}, facts.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value)))));
}
