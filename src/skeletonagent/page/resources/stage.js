// The moving skeletons: in space, turned by dragging and keys, or over the picture they were found in.

import { clamp, html, onResize, say } from "./dom.js";
import { colour, onTheme } from "./theme.js";

const FIRST_TURN = 0.45, FIRST_TILT = 0.16;
const TURN_STEP = Math.PI / 24;
const LARGEST_ZOOM = 4;
/** Time for which joints that matter leave a trail, in seconds. */
const TRAIL_SECONDS = 0.5;
const GRID_LINES = 6;
/** Joints below this share of the movement are not marked. */
const LEAST_WEIGHT = 0.02;

export class Stage {
  /** @type {import("./recording.js").Recording|null} */
  recording = null;
  frame = 0;
  #turn = FIRST_TURN;
  #tilt = FIRST_TILT;
  #zoom = 1;
  #picture = null;
  #marks = { persons: new Set(), weights: new Map(), focus: null };
  #captions = () => [];
  #taken = [];

  /** @param {import("./theme.js").Looks} looks */
  constructor(looks) {
    this.looks = looks;
    this.canvas = html("canvas", {
      tabindex: 0, role: "application", "aria-label": "Skeletons",
      on: { keydown: (event) => this.#key(event), wheel: (event) => this.#wheel(event) },
    });
    this.backdrop = html("div", { class: "backdrop" });
    this.box = html("div", { class: "stage" }, this.backdrop, this.canvas);
    this.#drag();
    onResize(this.box, () => this.draw());
    onTheme(() => this.draw());
  }

  /**
   * Show a recording, over a picture where its joints are pixels of one.
   * @param {HTMLVideoElement|null} picture
   */
  show(recording, picture = null) {
    this.recording = recording;
    this.#picture = picture;
    this.backdrop.replaceChildren(...(picture ? [picture] : []));
    this.box.classList.toggle("over", this.isOver);
    this.box.classList.toggle("beside", Boolean(picture) && !this.isOver);
    this.canvas.setAttribute("aria-label", this.#description());
    this.reset();
  }

  /** Whether skeletons are drawn over the picture itself. */
  get isOver() {
    return Boolean(this.#picture) && this.recording?.coordinates === 2;
  }

  /** Mark joints of persons by their weights; `focus` names the joint that the reader points at. */
  mark({ persons, weights, focus = null }) {
    this.#marks = { persons: new Set(persons), weights, focus };
    this.draw();
  }

  /** Set what is written over persons: a function from the frame to `{person, text}`. */
  caption(captions) { this.#captions = captions; }

  /** Look from where the recording was first looked at. */
  reset() {
    this.#turn = this.recording?.coordinates === 3 ? FIRST_TURN : 0;
    this.#tilt = this.recording?.coordinates === 3 ? FIRST_TILT : 0;
    this.#zoom = 1;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!this.recording || !width || !height) return;
    const context = sharp(this.canvas, width, height);
    const project = this.#projection(width, height);
    if (!project) return;
    if (this.recording.coordinates === 3) paintFloor(context, this.recording, project);
    this.#taken = [];
    const captions = new Map(this.#captions(this.frame).map(({ person, text }) => [person, text]));
    for (const person of this.recording.persons) {
      const joints = this.recording.between(person, this.frame);
      if (joints) this.#person(context, person, joints, project, captions.get(person), [width, height]);
    }
  }

  #person(context, person, joints, project, caption, size) {
    const look = this.looks.ofPerson(person), points = joints.map((place) => place && project(place));
    const { persons, weights, focus } = this.#marks, marked = persons.has(person) ? weights : new Map();
    const paint = { over: this.isOver, colour: colour(this.isOver ? look.over : look.variable), dashes: look.dashes };
    if (marked.size) this.#trails(context, person, marked, project);
    paintBones(context, points, this.recording.bones, paint);
    paintJoints(context, points, { marked, focus: focus && this.recording.jointIndex(focus), ...paint });
    const several = this.recording.persons.length > 1;
    const text = [several && person, caption].filter(Boolean).join("  ");
    if (text) this.#taken.push(paintCaption(context, points, text, paint, size, this.#taken));
  }

  #trails(context, person, marked, project) {
    const frames = Math.round(TRAIL_SECONDS * this.recording.fps), last = Math.floor(this.frame);
    context.strokeStyle = colour("--salient");
    context.lineCap = "round";
    for (const [joint, weight] of marked) {
      if (weight < LEAST_WEIGHT) continue;
      let before = null;
      for (let frame = Math.max(0, last - frames); frame <= last; frame += 1) {
        const place = this.recording.joints(person, frame)?.[joint], point = place && project(place);
        if (before && point) {
          context.globalAlpha = 0.55 * (1 - (last - frame) / frames);
          context.lineWidth = 2 + 3 * weight;
          context.beginPath();
          context.moveTo(...before);
          context.lineTo(...point);
          context.stroke();
        }
        before = point;
      }
    }
    context.globalAlpha = 1;
  }

  #projection(width, height) {
    if (this.isOver) {
      const [w, h] = this.recording.imageSize ?? [this.#picture.videoWidth, this.#picture.videoHeight];
      if (!w || !h) return null;
      const scale = Math.min(width / w, height / h);
      const mirrored = this.#picture.classList.contains("mirrored");
      return ([x, y]) => [width / 2 + (mirrored ? -1 : 1) * scale * (x - w / 2), height / 2 + scale * (y - h / 2)];
    }
    const place = this.recording.place;
    if (!place) return null;
    const breadth = this.recording.coordinates === 3 ? Math.max(place.size[0], place.size[2] * 0.8) : place.size[0];
    const scale = this.#zoom * Math.min((width - 56) / breadth, (height - 84) / place.size[1]);
    const [cosTurn, sinTurn, cosTilt, sinTilt] = [Math.cos(this.#turn), Math.sin(this.#turn), Math.cos(this.#tilt), Math.sin(this.#tilt)];
    return (joint) => {
      const [x, y, z] = [0, 1, 2].map((axis) => {
        const of = place.axes[axis];
        return of ? of[1] * joint[of[0]] - place.middle[axis] : 0;
      });
      const across = x * cosTurn + z * sinTurn, depth = z * cosTurn - x * sinTurn;
      return [width / 2 + scale * across, height / 2 + 8 - scale * (y * cosTilt - depth * sinTilt)];
    };
  }

  #description() {
    const people = this.recording.persons.length;
    const turn = this.recording.coordinates === 3 ? " A and D turn it, W and X tilt it, plus and minus zoom, 0 looks from the front." : "";
    return `Skeletons of ${people === 1 ? "one person" : `${people} persons`}. Space plays, left and right step through the frames.${turn}`;
  }

  #key(event) {
    const turn = { a: -TURN_STEP, d: TURN_STEP }[event.key], tilt = { w: TURN_STEP, x: -TURN_STEP }[event.key];
    const zoom = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!turn && !tilt && !zoom && event.key !== "0")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "0") { this.reset(); this.#turn = 0; }
    this.#look(turn ?? 0, tilt ?? 0, zoom ?? 1);
    say(`turned by ${Math.round((180 * this.#turn) / Math.PI)} degrees`);
  }

  #look(turn, tilt, zoom) {
    if (this.recording?.coordinates === 3) {
      this.#turn = (this.#turn + turn) % (2 * Math.PI);
      this.#tilt = clamp(this.#tilt + tilt, -1.4, 1.4);
    }
    this.#zoom = clamp(this.#zoom * zoom, 1 / LARGEST_ZOOM, LARGEST_ZOOM);
    this.draw();
  }

  #wheel(event) {
    if (!event.ctrlKey || this.isOver) return; // the page scrolls; with Ctrl or a pinch it zooms
    event.preventDefault();
    this.#look(0, 0, Math.exp(-event.deltaY / 200));
  }

  #drag() {
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      this.#look((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 200, 1);
      from = [event.clientX, event.clientY];
    });
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => { from = null; });
  }
}

/** Return the context of a canvas with as many pixels as the screen has. */
export function sharp(canvas, width, height) {
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function paintFloor(context, recording, project) {
  const { low, middle, size, axes } = recording.place;
  const reach = Math.max(size[0], size[2], size[1] * 0.7) * 0.62;
  const joint = (across, depth) => {
    const place = [0, 0, 0];
    [middle[0] + across, low[1], middle[2] + depth].forEach((value, axis) => { place[axes[axis][0]] = axes[axis][1] * value; });
    return project(place);
  };
  context.strokeStyle = colour("--floor");
  context.lineWidth = 1;
  context.beginPath();
  for (let line = 0; line <= GRID_LINES; line += 1) {
    const at = reach * ((2 * line) / GRID_LINES - 1);
    context.moveTo(...joint(at, -reach));
    context.lineTo(...joint(at, reach));
    context.moveTo(...joint(-reach, at));
    context.lineTo(...joint(reach, at));
  }
  context.stroke();
}

function paintBones(context, points, bones, { over, colour: line, dashes }) {
  const stroke = (style, width, pattern = []) => {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.setLineDash(pattern);
    context.beginPath();
    for (const [a, b] of bones) {
      if (!points[a] || !points[b]) continue;
      context.moveTo(...points[a]);
      context.lineTo(...points[b]);
    }
    context.stroke();
  };
  context.lineCap = context.lineJoin = "round";
  if (over) stroke("rgb(10 14 20 / 55%)", 7);
  else stroke(colour("--flesh"), 15);
  stroke(line, over ? 3.2 : 2.6, dashes);
  context.setLineDash([]);
}

function paintJoints(context, points, { marked, focus, over, colour: dot }) {
  const disc = ([x, y], radius, style) => {
    context.fillStyle = style;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  };
  const ring = ([x, y], radius, style, width) => {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  };
  points.forEach((point, joint) => {
    if (!point) return;
    const weight = marked.get(joint) ?? 0, salient = colour(over ? "--salient-over" : "--salient");
    if (!marked.has(joint)) return disc(point, 2.6, dot);
    disc(point, 4.5 + 6 * weight, salient);
    ring(point, 7.5 + 7 * weight, salient, joint === focus ? 4 : 1.6);
  });
}

/** Write a caption above a person, below those that are there already; return its place. */
function paintCaption(context, points, text, { over, colour: line }, [width, height], taken) {
  const seen = points.filter(Boolean);
  const middle = seen.reduce((sum, [x]) => sum + x, 0) / seen.length, top = Math.min(...seen.map(([, y]) => y));
  context.font = "600 14px system-ui, sans-serif";
  const breadth = context.measureText(text).width + 20;
  const x = clamp(middle - breadth / 2, 6, Math.max(6, width - breadth - 6));
  let y = clamp(top - 44, 6, height - 32);
  const meets = (other) => Math.abs(other.y - y) < 29 && other.x < x + breadth + 4 && x < other.x + other.breadth + 4;
  while (taken.some(meets) && y < height - 60) y += 30;
  context.fillStyle = over ? "rgb(10 14 20 / 82%)" : colour("--card");
  context.strokeStyle = line;
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(x, y, breadth, 26, 13);
  context.fill();
  context.stroke();
  context.fillStyle = over ? "#ffffff" : colour("--ink");
  context.textBaseline = "middle";
  context.fillText(text, x + 10, y + 13.5);
  return { x, y, breadth };
}
