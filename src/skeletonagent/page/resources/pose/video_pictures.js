/**
 * Pictures of a video file at a constant rate, as the browser plays them.
 * @module
 */

/** Pictures a second at most; of faster videos every second or third picture is looked at. */
export const MOST_FPS = 30;

const FALLBACK_FPS = 30;
const LONGEST_SIDE = 1920;
/** Step and span in seconds in which the second picture is looked for. */
const [PROBE_STEP, PROBE_SPAN] = [1 / 120, 1];
/** Pictures over which the rate is measured, and once more. */
const MEASURED = [10, 100];
/** Part of a picture's time by which two times of one picture may differ. */
const SAME = 0.1;
/** Milliseconds that a browser may take to show a picture after it has said so, and between two looks. */
const [LATEST, LOOK] = [200, 10];
/** Waits in vain after which pictures that last are taken for those of a rate that varies. */
const MOST_IN_VAIN = 10;

/** Pictures of a video file. */
export class VideoPictures {
  #video;
  #canvas;
  #begin = 0;
  #length = 1 / FALLBACK_FPS;
  #inVain = 0;

  /**
   * Open a video file.
   * @param {Blob & {name?: string}} file
   * @returns {Promise<VideoPictures>}
   */
  static async open(file) {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, playsInline: true, preload: "auto", src: URL.createObjectURL(file) });
    const pictures = new VideoPictures(video, file.name ?? "the video");
    try {
      await pictures.#load();
    } catch (error) {
      pictures.close();
      throw error;
    }
    return pictures;
  }

  constructor(video, name) {
    this.#video = video;
    this.name = name;
    this.fps = FALLBACK_FPS;
    /** @type {string[]} What was assumed, in words. */
    this.warnings = [];
  }

  /** Number of pictures at the constant rate. */
  get count() {
    return Math.max(1, Math.round((this.#video.duration - this.#begin) * this.fps));
  }

  /** Width and height of the video in pixels. */
  get size() {
    return [this.#video.videoWidth, this.#video.videoHeight];
  }

  /** Pixels of the video over those of its pictures, which are smaller where it is very large. */
  get scale() {
    return this.#video.videoWidth / this.#canvas.width;
  }

  close() {
    URL.revokeObjectURL(this.#video.src);
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /**
   * Yield what is shown at each moment of the rate; a picture that lasts is the same object again.
   * @returns {AsyncGenerator<{image: import("./regions.js").Picture, time: number}>}
   */
  async *frames() {
    const { fps, count } = this;
    let [image, shown, repeated] = [null, null, 0];
    for (let tick = 0; tick < count; tick += 1) {
      // Half a picture of the file later than its beginning, which may be rounded.
      const wanted = this.#begin + tick / fps + this.#length / 2;
      await this.#seek(wanted);
      const moment = await this.#shown(wanted);
      const isSame = moment !== null && shown !== null && Math.abs(moment - shown) < SAME / fps;
      if (isSame) repeated += 1;
      else image = this.#picture();
      shown = moment;
      yield { image, time: tick / fps };
    }
    if (repeated) {
      this.warnings.push(
        `the frame rate varies; at ${fps} pictures a second, ${repeated} are repeated, and others may be left out`,
      );
    }
  }

  async #load() {
    const video = this.#video;
    await this.#until("loadeddata");
    if (!video.videoWidth) throw new Error(`${this.name} has no pictures that this browser can show`);
    if (!Number.isFinite(video.duration)) await this.#seek(Number.MAX_SAFE_INTEGER); // as recorders write it
    if (!Number.isFinite(video.duration)) throw new Error(`this browser does not find the end of ${this.name}`);
    const shrink = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
    this.#canvas = document.createElement("canvas");
    this.#canvas.width = Math.round(shrink * video.videoWidth);
    this.#canvas.height = Math.round(shrink * video.videoHeight);
    await this.#measureRate();
  }

  /** Find the rate from the times of the first pictures. */
  async #measureRate() {
    await this.#seek(0);
    const first = this.#moment();
    if (first === null) {
      this.warnings.push(`this browser does not say when pictures are shown; ${FALLBACK_FPS} a second are assumed`);
      return;
    }
    this.#begin = Math.max(0, first);
    let length = await this.#secondPicture(first);
    if (length === null) return;
    for (const count of MEASURED) {
      const wanted = first + (count + 0.5) * length;
      if (wanted >= this.#video.duration) break;
      await this.#seek(wanted);
      const passed = this.#moment() - first;
      const pictures = Math.round(passed / length);
      if (pictures > 0) length = passed / pictures;
    }
    this.#length = length;
    const rate = 1 / length;
    const nth = Math.max(1, Math.ceil(rate / MOST_FPS - 0.05));
    this.fps = Number((rate / nth).toFixed(2));
    if (nth > 1) {
      this.warnings.push(`the video has ${Number(rate.toFixed(2))} pictures a second, of which ${this.fps} are looked at`);
    }
  }

  /** Return the seconds from the first to the second picture, null if none follows soon. */
  async #secondPicture(first) {
    const end = Math.min(first + PROBE_SPAN, this.#video.duration);
    for (let time = first + PROBE_STEP; time < end; time += PROBE_STEP) {
      await this.#seek(time);
      const passed = this.#moment() - first;
      if (passed > PROBE_STEP / 10) return passed;
    }
    return null;
  }

  /** Return the moment at which the picture that is shown begins, null if the browser does not say it. */
  #moment() {
    if (typeof VideoFrame === "undefined") return null;
    const frame = new VideoFrame(this.#video);
    const moment = frame.timestamp / 1e6;
    frame.close();
    return moment;
  }

  #picture() {
    const { width, height } = this.#canvas;
    const draw = this.#canvas.getContext("2d", { willReadFrequently: true });
    draw.drawImage(this.#video, 0, 0, width, height);
    return draw.getImageData(0, 0, width, height);
  }

  async #seek(time) {
    const happened = this.#until("seeked");
    this.#video.currentTime = time;
    await happened;
  }

  /** Return the moment of the picture of a time, for which a busy machine is waited; for one that lasts in vain. */
  async #shown(time) {
    const end = performance.now() + LATEST;
    for (;;) {
      const moment = this.#moment();
      const isDue = moment === null || time - moment < this.#length;
      if (isDue || this.#inVain >= MOST_IN_VAIN) return moment;
      if (performance.now() >= end) {
        this.#inVain += 1;
        return moment;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  }

  /** Wait for an event of the video. */
  #until(event) {
    const video = this.#video;
    return new Promise((resolve, reject) => {
      video[`on${event}`] = () => resolve();
      video.onerror = () =>
        reject(new Error(`${this.name} cannot be played by this browser; save it as MP4 (H.264) or WebM`));
    });
  }
}
