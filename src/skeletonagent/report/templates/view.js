// Clips as they are stored, played one at a time.

const SIDE_COLOURS = ["--bone", "--c1", "--c2"];

function drawView(place, clips, remark) {
  const state = { clip: 0, frame: 0, playing: false, turn: 0, tilt: 0, speed: 1, timer: 0, joints: null, seen: null, names: false };
  const canvas = html("canvas", { tabindex: 0, role: "application", "aria-label": "Skeleton player. Space plays, left and right step through the frames, A and D turn the skeleton." });
  const picks = html("div", { class: "picks", role: "listbox", "aria-label": "Clips" });
  const heading = html("div", { class: "side" });
  const clip = () => clips[state.clip];
  const frames = () => state.joints.shape[1];
  const redraw = () => { if (state.joints && canvas.clientWidth) paintView(canvas, state); };
  const time = slider("view-frame", "Frame", 1, 0, (value) => { pausePlay(); show(value); });
  const at = html("span", { class: "dim small", id: "view-at" });
  const show = (frame) => {
    state.frame = frame;
    time.control.value = Math.round(frame);
    const shown = Math.round((Math.round(frame) * (clip().frames - 1)) / Math.max(1, frames() - 1));
    at.textContent = `${shown + 1} of ${clip().frames}` + (clip().fps ? `, ${(shown / clip().fps).toFixed(2)} s` : "");
    redraw();
  };
  const play = html("button", { type: "button", id: "view-play", class: "button primary", on: { click: () => (state.playing ? pausePlay() : startPlay()) } }, "▶ Play");
  const pausePlay = () => { state.playing = false; cancelAnimationFrame(state.timer); play.textContent = "▶ Play"; };
  const startPlay = () => {
    state.playing = true;
    play.textContent = "❚❚ Pause";
    let before = performance.now();
    const step = (now) => {
      if (!state.playing) return;
      const rate = ((clip().fps || FRAMES_PER_SECOND) * state.speed * frames()) / clip().frames;
      const next = state.frame + ((now - before) / 1000) * rate;
      before = now;
      show(next > frames() - 1 ? 0 : next);
      state.timer = requestAnimationFrame(step);
    };
    state.timer = requestAnimationFrame(step);
  };
  const speed = select("view-speed", "Speed", [["0.25", "¼"], ["0.5", "½"], ["1", "1"], ["2", "2"]], (value) => { state.speed = Number(value); });
  speed.control.value = "1";
  const names = checkbox("view-names", "names of joints", false, (value) => { state.names = value; redraw(); });
  const choose = (index, focus = false) => {
    state.clip = index;
    state.joints = unpack(clip().joints);
    state.seen = unpack(clip().seen);
    time.control.max = frames() - 1;
    for (const pick of picks.children) {
      const chosen = Number(pick.dataset.clip) === index;
      pick.setAttribute("aria-selected", chosen);
      pick.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) pick.focus();
    }
    const { id, label, part, subject, frames: count, fps } = clip();
    const facts = [
      part && `${part} set`, subject === null ? null : `subject ${subject}`, `${count} frames`,
      fps && `${fps} frames a second`, state.joints.shape[0] > 1 && `${state.joints.shape[0]} bodies`,
    ].filter(Boolean).join(" · ");
    heading.replaceChildren(html("h3", {}, label || "no label"), html("p", { class: "small" }, id), html("p", { class: "dim small" }, facts));
    show(0);
  };
  let listed = [];
  const list = (label) => {
    listed = clips.map((each, index) => [each, index]).filter(([each]) => label === null || each.label === label);
    picks.replaceChildren(...listed.map(([each, index]) => html("button", { type: "button", role: "option", "data-clip": index, tabindex: -1, on: { click: () => choose(index) } },
      html("span", {}, each.label || each.id), html("small", {}, each.label ? shortened(each.id, 24) : ""))));
    if (listed.length) choose(listed[0][1]);
  };
  const classes = select("view-class", "Class", [["", "every class"], ...report.classes.map((name, n) => [String(n), name || "no label"])],
    (value) => list(value === "" ? null : report.classes[Number(value)]));
  picks.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!move || !listed.length) return;
    event.preventDefault();
    const now = listed.findIndex(([, index]) => index === state.clip);
    choose(listed[clamp(now + move, 0, listed.length - 1)][1], true);
  });
  turnable(canvas, state, redraw);
  steered(canvas, state, { redraw, play, pause: pausePlay, show, frames });
  place.append(
    remark ? html("p", { class: "lead" }, remark) : "",
    html("div", { class: "controls" }, classes.field, names.field),
    html("div", { class: "theatre" },
      html("div", { class: "card" }, picks),
      html("div", { class: "card stage" }, canvas, html("div", { class: "controls" }, play, time.field, at, speed.field)),
      html("div", { class: "card side" }, heading)));
  list(null);
  responsive(canvas, redraw);
  onTheme(redraw);
}

/** Return the box around the joints that are seen in a clip: its half sizes. */
function viewBounds({ joints, seen }) {
  const half = [1e-6, 1e-6, 1e-6];
  const [persons, frames, v] = seen.shape;
  for (let m = 0; m < persons; m += 1) for (let t = 0; t < frames; t += 1) for (let j = 0; j < v; j += 1) {
    if (seen.at(m, t, j)) for (let axis = 0; axis < 3; axis += 1) half[axis] = Math.max(half[axis], Math.abs(joints.at(m, t, j, axis)));
  }
  return half;
}

function paintView(canvas, state) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const context = sharp(canvas, width, height);
  const half = (state.joints.half ??= viewBounds(state));
  const scale = Math.min((width - 60) / (2 * Math.max(half[0], half[2])), (height - 40) / (2 * half[1]));
  const t = Math.min(Math.round(state.frame), state.joints.shape[1] - 1);
  const [cosTurn, sinTurn, cosTilt, sinTilt] = [Math.cos(state.turn), Math.sin(state.turn), Math.cos(state.tilt), Math.sin(state.tilt)];
  const { bones, names, sides } = report.layout;
  const colours = SIDE_COLOURS.map(css), ink = css("--ink");
  for (let person = 0; person < state.joints.shape[0]; person += 1) {
    const points = names.map((_, joint) => {
      if (!state.seen.at(person, t, joint)) return null;
      const [x, y, z] = [0, 1, 2].map((axis) => state.joints.at(person, t, joint, axis));
      const across = x * cosTurn + z * sinTurn, depth = z * cosTurn - x * sinTurn;
      return [width / 2 + scale * across, height / 2 - scale * (y * cosTilt - depth * sinTilt)];
    });
    context.lineWidth = 2.5;
    context.setLineDash(person ? [6, 4] : []);
    for (const [child, parent] of bones) {
      if (!points[child] || !points[parent]) continue;
      context.strokeStyle = colours[sides[child]];
      context.beginPath();
      context.moveTo(...points[child]);
      context.lineTo(...points[parent]);
      context.stroke();
    }
    context.setLineDash([]);
    points.forEach((point, joint) => {
      if (!point) return;
      context.fillStyle = colours[sides[joint]];
      context.beginPath();
      context.arc(...point, 3.5, 0, 2 * Math.PI);
      context.fill();
      if (state.names) { context.fillStyle = ink; context.fillText(names[joint], point[0] + 6, point[1] + 4); }
    });
  }
}

drawView(document.querySelector("#clips .body"), report.clips, report.remark);
root.dataset.drawn = "yes";
