// A recording that is shown: joints of persons over time, placed for the eye.

/** Frames a second that are assumed where nobody knows them. */
export const USUAL_FPS = 30;
/** Frames for which a live body stays where it was last seen. */
const HELD_FRAMES = 5;
const HEAD = /head|nose|skull|eye|ear/i;
const FEET = /ankle|foot|toe|heel|sole/i;
/** Share of the places at either end that are left out of the size, since some are far off. */
const STRAY_SHARE = 0.005;
const MOST_MEASURED = 4000;

export class Recording {
  /** @type {Map<string, Map<number, import("./recognizer.js").Joints>>} */
  #bodies = new Map();

  /**
   * @param {{name: string, fps: number|null, frames: number, names: string[], bones: [number, number][], imageSize?: [number, number]|null, live?: boolean}} about
   */
  constructor({ name, fps, frames, names, bones, imageSize = null, live = false }) {
    this.name = name;
    this.knownFps = fps;
    this.fps = fps || USUAL_FPS;
    this.frames = frames;
    this.names = names;
    this.bones = bones;
    this.imageSize = imageSize;
    this.live = live;
    this.coordinates = 2;
    this.place = null;
  }

  /**
   * Return the recording of an answer.
   * @param {import("./recognizer.js").Prediction} prediction
   */
  static of(prediction) {
    const { persons, names, bones, image_size: imageSize } = prediction.keypoints;
    const recording = new Recording({ ...prediction, names, bones, imageSize });
    for (const { person, first_frame: first, frames } of persons) {
      recording.#bodies.set(person, new Map());
      frames.forEach((joints, index) => { if (joints) recording.add(first + index, person, joints); });
    }
    recording.frames = prediction.frames;
    recording.measure();
    return recording;
  }

  /** Take the joints of a person in a frame. */
  add(frame, person, joints) {
    if (!this.#bodies.has(person)) this.#bodies.set(person, new Map());
    this.#bodies.get(person).set(frame, joints);
    const seen = joints.find(Boolean);
    if (seen) this.coordinates = Math.min(3, seen.length);
    this.frames = Math.max(this.frames, frame + 1);
  }

  /** Return the place of a joint by its name, also where another skeleton spells it otherwise; -1 if it has none. */
  jointIndex(name) {
    const exact = this.names.indexOf(name);
    return exact >= 0 ? exact : this.names.findIndex((each) => words(each) === words(name));
  }

  get persons() { return [...this.#bodies.keys()]; }
  get seconds() { return this.frames / this.fps; }

  /** Return the joints of a person in a whole frame, null where it is not seen. */
  joints(person, frame) {
    const body = this.#bodies.get(person);
    if (!body) return null;
    for (let back = 0; back <= (this.live ? HELD_FRAMES : 0); back += 1) {
      const joints = body.get(frame - back);
      if (joints) return joints;
    }
    return null;
  }

  /** Return the joints between two frames, for a motion without jerks. */
  between(person, frame) {
    const low = Math.floor(frame), share = frame - low;
    const joints = this.joints(person, low);
    const later = share > 0.01 ? this.joints(person, low + 1) : null;
    if (!joints || !later) return joints;
    return joints.map((place, joint) => (place && later[joint] ? place.map((value, axis) => value + share * (later[joint][axis] - value)) : place));
  }

  /** Find out which way is up and how large everything is. */
  measure() {
    const sample = [...this.#sampled()];
    const axes = this.coordinates === 3 ? spatialAxes(sample, this.names) : imageAxes(sample, this.names, this.imageSize);
    const places = sample.flatMap((joints) => joints.filter(Boolean)).map((place) => axes.map(([axis, sign]) => sign * place[axis]));
    const low = [], high = [];
    axes.forEach((_, axis) => {
      const values = places.map((place) => place[axis]).sort((a, b) => a - b);
      const stray = Math.floor(STRAY_SHARE * values.length);
      low.push(values[stray] ?? 0);
      high.push(values[values.length - 1 - stray] ?? 1);
    });
    this.place = { axes, low, high, middle: low.map((value, axis) => (value + high[axis]) / 2), size: low.map((value, axis) => Math.max(high[axis] - value, 1e-6)) };
  }

  /** Return the recording as a file that `skeletonagent` reads (`skeletonagent.keypoints/1`). */
  toJson(name = this.name) {
    const nothing = this.names.map(() => Array(this.coordinates).fill(null));
    const whole = (joints) => joints?.map((place) => place?.slice(0, this.coordinates) ?? Array(this.coordinates).fill(null)) ?? nothing;
    const frames = [...Array(this.frames).keys()];
    return JSON.stringify({
      schema: "skeletonagent.keypoints/1", name, joint_names: this.names, layout: null, fps: this.knownFps, image_size: this.imageSize,
      person_ids: this.persons, shape: [this.persons.length, this.frames, this.names.length, this.coordinates],
      joints: this.persons.map((person) => frames.map((frame) => whole(this.joints(person, frame)))), confidence: null,
    });
  }

  *#sampled() {
    const all = [...this.#bodies.values()].reduce((count, body) => count + body.size, 0);
    const step = Math.max(1, Math.floor((all * this.names.length) / (MOST_MEASURED * 8)));
    let number = 0;
    for (const body of this.#bodies.values()) {
      for (const joints of body.values()) {
        if (number % step === 0) yield joints;
        number += 1;
      }
    }
  }
}

/** Return across, up and depth as [axis, sign]: heads are above feet. */
function spatialAxes(sample, names) {
  const [up, sign] = upwards(sample, names, 3) ?? [1, 1];
  if (up === 2) return [[0, 1], [2, sign], [1, -sign]];
  if (up === 0) return [[1, 1], [0, sign], [2, sign]];
  return [[0, 1], [1, sign], [2, sign]];
}

function imageAxes(sample, names, imageSize) {
  const found = imageSize ? null : upwards(sample, names, 2);
  return [[0, 1], [1, found?.[0] === 1 ? found[1] : -1]];
}

/** Return the axis on which heads are farthest from feet, and the sign of heads; null without names. */
function upwards(sample, names, coordinates) {
  const heads = names.flatMap((name, joint) => (HEAD.test(name) ? [joint] : []));
  const feet = names.flatMap((name, joint) => (FEET.test(name) ? [joint] : []));
  const sums = Array(coordinates).fill(0);
  for (const joints of sample) {
    const head = mean(joints, heads, coordinates), foot = mean(joints, feet, coordinates);
    if (head && foot) sums.forEach((_, axis) => { sums[axis] += head[axis] - foot[axis]; });
  }
  const axis = sums.reduce((best, value, index) => (Math.abs(value) > Math.abs(sums[best]) ? index : best), 0);
  return sums[axis] ? [axis, Math.sign(sums[axis])] : null;
}

/** Return the words of a name in one spelling: "L_wrist" and "left wrist" are one. */
const words = (name) => name.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean).map((word) => ({ l: "left", r: "right" })[word] ?? word).sort().join(" ");

function mean(joints, chosen, coordinates) {
  const places = chosen.map((joint) => joints[joint]).filter(Boolean);
  if (!places.length) return null;
  return Array.from({ length: coordinates }, (_, axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length);
}
