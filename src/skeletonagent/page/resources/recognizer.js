// What the page asks: one object of the kind `Recognizer`, on a server or in the browser.

/**
 * @typedef {{name: string, joints: string[], bones: [number, number][], root: number}} Layout
 *
 * @typedef {object} Model  What `GET /model` answers.
 * @property {string} name
 * @property {string[]} class_names
 * @property {Layout} layout
 * @property {2|3} channels
 * @property {number|null} fps
 * @property {number} threshold
 * @property {string} backbone
 * @property {string} engine
 * @property {boolean} video
 * @property {string} [why_no_video]  Why videos and the camera cannot be used, in a sentence.
 * @property {string[]} [warnings]
 * @property {number} persons
 * @property {Object<string, number>} limits
 * @property {Object<string, string>} sentences  Sentence of the guidance for each class, if any.
 *
 * @typedef {{label: string, score: number}} Share
 * @typedef {object} Segment  An item of `segments` of a prediction (docs/guides/recordings_and_streams.md).
 * @property {string} person
 * @property {number} start_frame
 * @property {number} end_frame
 * @property {number|null} start
 * @property {number|null} end
 * @property {string} label
 * @property {number} score
 * @property {Share[]} top
 * @property {{joints: {joint: string, weight: number}[], joints_from: string, runner_up: Share|null, sentences: Object<string, string>}} explanation
 *
 * @typedef {(number[]|null)[]} Joints  Places of the joints of one body; null where not seen.
 * @typedef {{person: string, first_frame: number, frames: (Joints|null)[]}} Track
 * @typedef {{person: string, start_frame: number, end_frame: number, scores: Object<string, number>}} TimelineWindow
 *
 * @typedef {object} Prediction  What `POST /predict?keypoints=true` answers.
 * @property {string} name
 * @property {number|null} fps
 * @property {number} frames
 * @property {Segment[]} segments
 * @property {{person: string, frames: number}[]} persons
 * @property {string[]} warnings
 * @property {{threshold?: number}} engine
 * @property {{persons: Track[], names: string[], bones: [number, number][], image_size?: [number, number]|null}} keypoints
 *   `image_size` where the joints are pixels of the video, so that they can be drawn over it.
 * @property {TimelineWindow[]} timeline
 *
 * @typedef {object} PredictOptions
 * @property {AbortSignal} [signal]
 * @property {number} [threshold]
 * @property {number} [topK]
 * @property {number} [window]
 * @property {number} [stride]
 * @property {boolean} [clips]  Whether the recording gets one label as a whole.
 * @property {string} [recording]  Name of the recording to take, where a file holds several.
 * @property {(text: string, share?: number) => void} [onProgress]  Says what is done, and how much of it (0 to 1).
 *
 * @typedef {object} StreamEvent
 * @property {"frame"|"window"|"segment"|"warning"|"error"|"end"} type
 *   `frame`: `t` in seconds and `bodies`, joints by person in pixels of the picture; with `names`
 *   and `bones`, in the first one, where these are other joints than those of the model. `window`: `person`, `label`,
 *   `score`, `top`. `segment`: a {@link Segment}, or one under `segment`. `warning` and `error`: `text`.
 *
 * @typedef {object} Stream
 * @property {(frame: {t: number, picture?: HTMLCanvasElement, bodies?: Object<string, Joints>}) => boolean} push
 *   Takes a frame, `t` in seconds since the stream began; false where it is dropped because
 *   another is under way. A picture is given as a canvas; the recognizer encodes it.
 * @property {() => Promise<void>} end  Resolves after the last events have been handed out.
 *
 * @typedef {object} Recognizer
 * @property {() => Promise<Model>} describe
 * @property {(file: File|object, options?: PredictOptions) => Promise<Prediction>} predict
 * @property {(options: {fps: number, kind: "keypoints"|"pictures", imageSize?: [number, number], onEvent: (event: StreamEvent) => void}) => Promise<Stream>} openStream
 *   Events are those of `WS /stream`; of pictures, a `frame` event says `t` and the bodies in
 *   pixels of the canvas. Failures come as `{type: "error", text}`, after which the stream is over.
 * @property {string} [formats]  Keypoint files that it reads, in words, where these are not all.
 * @property {boolean} acceptsVideo  Known after `describe()`.
 * @property {boolean} acceptsPictures  Known after `describe()`.
 */

/** A failure that is said to the reader in one sentence. */
export class RecognizerError extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, retryAfter?: number}} [about]
   */
  constructor(message, about = {}) {
    super(message);
    this.name = "RecognizerError";
    this.status = about.status ?? 0;
    this.retryAfter = about.retryAfter ?? 0;
  }
}
