// The recognizer in the browser: everything is computed here, and nothing is sent anywhere.

import { drawnKeypoints } from "./engine/drawn_keypoints.js";
import { readKeypoints } from "./engine/keypoint_files.js";
import { largestFirst, rounded } from "./engine/numbers.js";
import { fitRecording, seenFrames, withRate } from "./engine/recording_input.js";
import { personSpans, segmentRecording, withJoinedPersons, withoutPersonsTwice } from "./engine/recording_segments.js";
import { recordingOfSample } from "./engine/sample_arrays.js";
import { SegmentSettings } from "./engine/segment_settings.js";
import { SourceCheck } from "./engine/source_check.js";
import { storedSample } from "./engine/stored_samples.js";
import { StreamSession } from "./engine/stream_session.js";
import { scoreTimeline } from "./engine/timeline.js";
import { isVideo } from "./intake.js";
import { BrowserPoses } from "./pose/browser_poses.js";
import { PictureStream } from "./pose/picture_stream.js";
import { RecognizerError } from "./recognizer.js";

const UNTRIMMED_FACTOR = 3;

/** @implements {import("./recognizer.js").Recognizer} */
export class BrowserRecognizer {
  formats = "CSV and other tables, NumPy (.npy) and JSON";
  #loading = null;
  #loadingPoses = null;
  #load;
  #loadPose;
  #description;

  /**
   * @param {any} description  Description of the recognizer, see `page/browser_model.py`.
   * @param {() => Promise<import("./engine/exported_model.js").ExportedModel>} load  Loads it, once it is needed.
   * @param {() => Promise<{detector: any, landmarks: any}>} [loadPose]  Loads the pose models, once they are needed.
   */
  constructor(description, load, loadPose = undefined) {
    this.#description = description;
    this.#load = load;
    this.#loadPose = loadPose;
    this.acceptsVideo = this.acceptsPictures = Boolean(description.pose && loadPose);
  }

  async describe() {
    const { input, training_clips: clips, guidance, ...all } = this.#description;
    const settings = new SegmentSettings({}, this.#description, clips?.fps ?? null);
    const { name, joints, bones, center } = input.layout;
    const sentences = all.class_names.map((action, label) => [action, guidance[label]?.sentence]);
    return {
      name: all.name,
      class_names: all.class_names,
      layout: { name, joints, bones, root: center },
      channels: input.coordinates,
      has_confidence: input.has_confidence,
      fps: clips?.fps ?? null,
      window: settings.window,
      stride: settings.stride,
      threshold: rounded(settings.threshold, 6),
      rest: settings.toJson().rest,
      pair_classes: all.class_names.filter((_, label) => all.pairs[label]),
      backbone: all.backbone,
      engine: "browser",
      video: this.acceptsVideo,
      why_no_video: all.why_no_pose,
      persons: all.persons,
      limits: all.limits,
      sentences: Object.fromEntries(sentences.filter(([, sentence]) => sentence)),
      warnings: settings.remarks,
    };
  }

  async predict(file, { signal, onProgress, topK = 5, clips = false, fps, ...options } = {}) {
    return this.#told(async () => {
      const { recording, seen } = await this.#read(file, fps, { signal, onProgress });
      const words = [];
      const work = this.#work(recording, signal, onProgress, (word) => words.push(word));
      const answer = clips
        ? await this.#clip(recording, topK, options, work)
        : await this.#segments(recording, topK, options, work);
      onProgress?.("Scores over time", 1);
      const { window, stride } = new SegmentSettings(wanted(options), this.#description, recording.fps);
      const scores = (parts) => work(parts, 1, "Scores over time");
      const timeline = await scoreTimeline(recording, { window, stride }, this.#description, scores);
      const { remarks = [], ...whole } = answer;
      whole.warnings = [...new Set([...whole.warnings, ...words, ...remarks])];
      const keypoints = seen
        ? drawnKeypoints(seen, { coordinates: 2, layout: this.#description.pose.layout })
        : drawnKeypoints(recording, this.#description.input);
      return { ...whole, keypoints, timeline };
    });
  }

  async openStream({ fps, kind, onEvent }) {
    if (kind === "pictures" && !this.acceptsPictures) throw new RecognizerError(this.#description.why_no_pose);
    return this.#told(async () => {
      const poses = kind === "pictures" ? await this.#poses() : null;
      const settings = new SegmentSettings({}, this.#description, fps);
      const check = new SourceCheck(this.#description);
      const task = {
        ...this.#task(settings, fps, 5, this.#work({ imageSize: null })),
        checkSource: (frames) => check.ofFrames(frames, fps),
      };
      settings.remarks.forEach((text) => onEvent({ type: "warning", text }));
      const session = new StreamSession(task, fps, onEvent);
      return poses ? new PictureStream(poses, session, onEvent) : session;
    });
  }

  /** Return the recording of a file as the recognizer takes it, and of a video its joints in pixels. */
  async #read(file, fps, options) {
    const { input, limits } = this.#description;
    if (file instanceof Blob && file.size > limits.max_upload * 1e6) {
      throw new Error(`the file is larger than the ${limits.max_upload} MB that are taken`);
    }
    if (file instanceof Blob && isVideo(file)) return this.#readVideo(file, options);
    const found = await readKeypoints(file, input);
    const fitted = found.sample
      ? recordingOfSample(found.sample, this.#description)
      : fitRecording(found.recording, this.#description);
    const read = withRate({ ...fitted, fps: fps || fitted.fps }, this.#description);
    const [persons, length] = read.shape;
    if (length > limits.max_frames || persons > limits.max_persons) {
      throw new Error(
        `the recording has ${length} frames and ${persons} persons; up to ${limits.max_frames} and ${limits.max_persons} are taken`,
      );
    }
    return { recording: withJoinedPersons(withoutPersonsTwice(read), input.coordinates), seen: null };
  }

  async #readVideo(file, options) {
    const { why_no_pose: why, input } = this.#description;
    if (!this.acceptsVideo) throw new RecognizerError(why);
    options.onProgress?.("Loading the pose models");
    const poses = await (await this.#poses()).ofVideo(file, options);
    const fitted = fitRecording(poses.recording(input.coordinates === 3), this.#description);
    const seen = poses.recording(false);
    return { recording: withJoinedPersons(fitted, input.coordinates), seen };
  }

  /** Return the pose models, which are loaded once. */
  async #poses() {
    this.#loadingPoses ??= this.#loadPose();
    return new BrowserPoses(this.#description, await this.#loadingPoses);
  }

  async #segments(recording, topK, options, work) {
    const description = this.#description;
    const settings = new SegmentSettings(wanted(options), description, recording.fps);
    const remarks = [...settings.remarks];
    const unlike = new SourceCheck(description).ofRecording(recording, recording.fps);
    if (unlike) remarks.push(unlike);
    if (description.training_clips === null && description.persons > 1 && recording.persons.length > 1) {
      remarks.push(
        "the run does not say which of its classes are of two persons; each person is recognized alone. Train again to have pairs",
      );
    }
    const task = this.#task(settings, recording.fps, topK, work);
    return segmentRecording(recording, task, this.#engine(), remarks);
  }

  #task(settings, fps, topK, work) {
    const classify = (parts) => work(parts, undefined, "Looking for actions");
    return { classify, settings, description: this.#description, fps, topK };
  }

  /** Return a recording with one label as a whole. */
  async #clip(recording, topK, { threshold }, work) {
    const { class_names: names, input, constants, training_clips: clips } = this.#description;
    const [probs] = await work([recording], undefined, "Recognizing the clip");
    const top = largestFirst(probs).slice(0, topK).map((label) => ({ label: names[label], score: rounded(probs[label], 6) }));
    const [, length] = recording.shape;
    const label = threshold !== undefined && top[0].score < threshold ? "unknown" : top[0].label;
    const seen = seenFrames(recording, input.coordinates, constants.least_joints);
    const remarks = [];
    if (clips && length > UNTRIMMED_FACTOR * clips.longest) {
      remarks.push(`much longer than the training clips, of which 95 % have at most ${clips.longest} frames: sample '0'. One label is given to each as a whole; segment() and 'predict --segments' find the actions within`);
    }
    const unlike = new SourceCheck(this.#description).ofClip({ ...recording, name: "0" });
    if (unlike) remarks.push(unlike);
    return {
      schema: "skeletonagent.prediction/1",
      name: recording.name,
      source: null,
      fps: recording.fps,
      frames: length,
      layout: input.layout.name,
      engine: this.#engine(),
      segments: [{
        person: "all",
        start_frame: 0,
        end_frame: length,
        start: recording.fps ? 0 : null,
        end: recording.fps ? rounded(length / recording.fps, 3) : null,
        label,
        score: top[0].score,
        top,
        explanation: { joints: [], joints_from: "movement", runner_up: top[1] ?? null, sentences: {} },
      }],
      persons: personSpans(recording, seen),
      warnings: recording.warnings,
      remarks,
    };
  }

  #engine() {
    const { backbone, program, name, clips } = this.#description;
    return { backbone, program, runs: [name], streams: [clips.stream], device: "browser" };
  }

  /** Return the function that computes class probabilities of clips of a recording. */
  #work({ imageSize }, signal, onProgress, note = () => {}) {
    return async (parts, count, text) => {
      this.#loading ??= this.#load();
      const model = await this.#loading;
      const between = async (share) => {
        onProgress?.(text, share);
        await new Promise((resolve) => { setTimeout(resolve); }); // the page stays alive
        signal?.throwIfAborted();
      };
      const samples = parts.map((part) => storedSample(part, model.description, imageSize, note));
      return model.predict(samples, { count, between });
    };
  }

  /** Return what a function returns; its failures are said in one sentence. */
  async #told(work) {
    try {
      return await work();
    } catch (error) {
      if (error.name === "AbortError" || error instanceof RecognizerError) throw error;
      if (error instanceof RangeError) throw new RecognizerError("The recording is too large for this browser.");
      const isOther = error instanceof TypeError; // such as a number where a list belongs
      throw new RecognizerError(isOther ? "The file has another form than those that this page reads." : error.message);
    }
  }
}

const wanted = ({ window, stride, threshold }) =>
  Object.fromEntries(Object.entries({ window, stride, threshold }).filter(([, value]) => value !== undefined && value !== null));
