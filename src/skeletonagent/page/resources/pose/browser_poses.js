/**
 * Pose estimation in the browser: videos and pictures of a camera in, joints out.
 * @module
 */

import { fitRecording } from "../engine/recording_input.js";
import { rounded } from "../engine/numbers.js";
import { PersonDetector } from "./detector.js";
import { PoseEstimator } from "./estimator.js";
import { LandmarkModel } from "./landmarks.js";
import { VideoPoses, seenPlaces } from "./pose_recording.js";
import { VideoPictures } from "./video_pictures.js";

/** Pose models and what they find for a recognizer. */
export class BrowserPoses {
  /**
   * @param {any} description Description of the recognizer, with the constants of pose estimation.
   * @param {{detector: import("./pose_model.js").PoseModel, landmarks: import("./pose_model.js").PoseModel}} models
   */
  constructor(description, { detector, landmarks }) {
    this.description = description;
    this.facts = description.pose;
    this.detector = new PersonDetector(detector, this.facts);
    this.model = new LandmarkModel(landmarks, this.facts);
  }

  /**
   * Return an estimator for new pictures.
   * @param {number} [scale] Pixels of the video over those of its pictures.
   * @returns {PoseEstimator}
   */
  estimator(scale = 1) {
    const smallest = this.facts.estimator.smallest_person / scale;
    const { max_persons: maxPersons } = this.description.limits;
    return new PoseEstimator(this.detector, this.model, this.facts, { maxPersons, smallest });
  }

  /**
   * Return the persons in a video file.
   * @param {File} file
   * @param {{signal?: AbortSignal, onProgress?: (text: string, share?: number) => void}} options
   * @returns {Promise<VideoPoses>}
   */
  async ofVideo(file, { signal, onProgress } = {}) {
    const video = await VideoPictures.open(file);
    try {
      const { fps, size, scale, count } = video;
      const { max_frames: most } = this.description.limits;
      if (count > most) throw new Error(`the video has ${count} pictures; up to ${most} are taken`);
      const estimator = this.estimator(scale);
      const pictures = [];
      for await (const { image, time } of video.frames()) {
        signal?.throwIfAborted();
        pictures.push(await estimator.step(image, time));
        onProgress?.(`Looking for people: ${rounded(time, 1)} s at ${fps} pictures a second`, pictures.length / count);
      }
      const name = file.name.replace(/\.[^.]*$/, "");
      return new VideoPoses(pictures, this.facts, { name, fps, size, scale, warnings: video.warnings });
    } finally {
      video.close();
    }
  }

  /**
   * Return the joints of a person in pixels as a page draws them, null where not seen.
   * @param {import("./estimator.js").PersonPose} person
   * @returns {import("../recognizer.js").Joints}
   */
  drawn({ body }) {
    const places = seenPlaces(body, false, this.facts.estimate.min_confidence);
    return Array.from({ length: places.length / 2 }, (_, joint) => {
      const place = [...places.subarray(2 * joint, 2 * joint + 2)];
      return place.some(Number.isNaN) ? null : place.map((value) => rounded(value, 1));
    });
  }

  /**
   * Return the joints of a person as the recognizer takes them, null where not seen.
   * @param {import("./estimator.js").PersonPose} person
   * @returns {import("../recognizer.js").Joints}
   */
  joints({ number, body }) {
    const { input } = this.description;
    const isWorld = input.coordinates === 3;
    const places = seenPlaces(body, isWorld, this.facts.estimate.min_confidence);
    const recording = {
      name: `person ${number}`,
      shape: [1, 1, body.confidence.length, isWorld ? 3 : 2],
      joints: places,
      confidence: body.confidence,
      jointNames: null,
      layout: this.facts.layout.name,
      fps: null,
      imageSize: null,
      persons: [String(number)],
      warnings: [],
    };
    const { joints } = fitRecording(recording, this.description);
    return Array.from({ length: joints.length / input.channels }, (_, joint) => {
      const values = [...joints.subarray(joint * input.channels, (joint + 1) * input.channels)];
      return values.some(Number.isNaN) ? null : values;
    });
  }
}
