// The camera: its pictures go to the recognizer at a bounded rate, skeletons and actions come back.

import { percent } from "./dom.js";
import { RecognizerError } from "./recognizer.js";
import { Recording } from "./recording.js";

/** Pictures a second; the recognizer may take fewer, since one is sent after another was answered. */
const CAMERA_FPS = 15;
const LARGEST_WIDTH = 640;
/** Time for which a first word on a movement stays written, in seconds. */
const SHOWN_SECONDS = 1.5;

export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** Emits `frame`, `segment`, `window`, `warning`, and `stopped` with an error or null. */
export class Camera extends EventTarget {
  /** @type {Recording|null} */
  recording = null;
  #words = new Map();
  #stream = null;
  #media = null;
  #timer = 0;
  #running = false;

  /**
   * @param {import("./recognizer.js").Recognizer} recognizer
   * @param {import("./recognizer.js").Model} model
   */
  constructor(recognizer, model) {
    super();
    this.recognizer = recognizer;
    this.model = model;
    this.video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
    this.canvas = document.createElement("canvas");
  }

  async start() {
    this.#media = await openCamera();
    const [track] = this.#media.getVideoTracks();
    track.addEventListener("ended", () => this.#stopped(new RecognizerError("The camera was taken away.")));
    this.video.classList.toggle("mirrored", track.getSettings().facingMode !== "environment");
    this.video.srcObject = this.#media;
    try {
      await this.video.play();
      const shrink = Math.min(1, LARGEST_WIDTH / this.video.videoWidth);
      Object.assign(this.canvas, { width: Math.round(shrink * this.video.videoWidth), height: Math.round(shrink * this.video.videoHeight) });
      const { joints: names, bones } = this.model.layout;
      this.recording = new Recording({ name: "camera", fps: CAMERA_FPS, frames: 0, names, bones, imageSize: [this.canvas.width, this.canvas.height], live: true });
      this.#stream = await this.recognizer.openStream({ fps: CAMERA_FPS, kind: "pictures", imageSize: this.recording.imageSize, onEvent: (event) => this.#hear(event) });
    } catch (error) {
      this.#release();
      throw error;
    }
    this.#running = true;
    const began = performance.now();
    this.#timer = setInterval(() => this.#send((performance.now() - began) / 1000), 1000 / CAMERA_FPS);
  }

  /** End the stream; its last actions come before this resolves. */
  async stop() {
    if (!this.#running) return;
    this.#running = false;
    this.#release();
    await this.#stream.end();
    this.#stopped(null);
  }

  /** Return what is written over persons at a frame. */
  captions(frame) {
    const now = frame / CAMERA_FPS;
    return [...this.#words].filter(([, word]) => now - word.at < SHOWN_SECONDS).map(([person, word]) => ({ person, text: word.text }));
  }

  #send(t) {
    if (!this.#running || this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    this.canvas.getContext("2d", { willReadFrequently: true }).drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    this.#stream.push({ t, picture: this.canvas });
  }

  #hear(event) {
    if (event.type === "frame") this.#frame(event);
    else if (event.type === "window" || event.type === "segment") {
      const of = event.segment ?? event;
      const at = Math.max(0, this.recording.frames - 1) / CAMERA_FPS;
      for (const person of of.person.split("+")) this.#words.set(person, { text: `${of.label} ${percent(of.score)}`, at });
      this.dispatchEvent(new CustomEvent(event.type, { detail: of }));
    } else if (event.type === "warning") this.dispatchEvent(new CustomEvent("warning", { detail: event.text }));
    else if (event.type === "error") this.#stopped(new RecognizerError(event.text));
  }

  #frame({ t, bodies, names, bones }) {
    if (names && bones) Object.assign(this.recording, { names, bones });
    const frame = Math.max(0, Math.round(t * CAMERA_FPS));
    this.recording.frames = Math.max(this.recording.frames, frame + 1);
    for (const [person, joints] of Object.entries(bodies ?? {})) this.recording.add(frame, person, joints);
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  #stopped(error) {
    this.#running = false;
    this.#release();
    this.dispatchEvent(new CustomEvent("stopped", { detail: error }));
  }

  #release() {
    clearInterval(this.#timer);
    this.#media?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}

async function openCamera() {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" }, audio: false });
  } catch (error) {
    throw new RecognizerError({
      NotAllowedError: "The camera may not be used. Allow it beside the address of this page, and try again.",
      NotFoundError: "There is no camera.",
      NotReadableError: "Another program holds the camera. Close it there, and try again.",
    }[error.name] ?? `The camera cannot be used: ${error.message}`);
  }
}
