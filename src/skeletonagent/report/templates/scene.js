// A moving skeleton on a canvas: important joints are large, joints that the agents chose have rings.

function paintScene(canvas, state, clip) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const context = sharp(canvas, width, height);
  const view = sceneView(state, width, height);
  const shown = { predicted: clip.predicted, label: clip.label }[state.importanceFor];
  const importance = shown === undefined ? null : unpack(clip.joint_importance[shown]);
  const chosen = shown === undefined ? new Set() : report.chosen(shown);
  const colours = { line: css("--bone"), body: css("--body"), dot: css("--bone"), bright: css("--salient"), ring: css("--accent") };
  for (let person = 0; person < state.joints.shape[0]; person += 1) {
    const points = view(person);
    if (points) paintPerson(context, points, { importance, chosen }, colours, person);
  }
}

/** Return the places of a person's joints on the canvas, null if nobody is there. */
function sceneView({ joints, frame, turn, tilt }, width, height) {
  const [persons, frames, v] = joints.shape;
  const bounds = joints.bounds ??= clipBounds(joints, persons, frames, v);
  const scale = Math.min((width - 40) / bounds.breadth, (height - 40) / bounds.height);
  const low = Math.floor(frame), high = Math.min(low + 1, frames - 1), share = frame - low;
  const [cosTurn, sinTurn, cosTilt, sinTilt] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  return (person) => {
    if (!bounds.present(person, low)) return null;
    const later = bounds.present(person, high) ? share : 0;
    return Array.from({ length: v }, (_, joint) => {
      const [x, y, z] = [0, 1, 2].map((axis) => joints.at(person, low, joint, axis) * (1 - later) + joints.at(person, high, joint, axis) * later - bounds.middle[axis]);
      const across = x * cosTurn + z * sinTurn, depth = z * cosTurn - x * sinTurn;
      return [width / 2 + scale * across, height / 2 - scale * (y * cosTilt - depth * sinTilt)];
    });
  };
}

function clipBounds(joints, persons, frames, v) {
  const present = (person, frame) => [...Array(v).keys()].some((joint) => joints.at(person, frame, joint, 0) || joints.at(person, frame, joint, 1));
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (let person = 0; person < persons; person += 1) {
    for (let frame = 0; frame < frames; frame += 1) {
      if (!present(person, frame)) continue;
      for (let joint = 0; joint < v; joint += 1) {
        for (let axis = 0; axis < 3; axis += 1) {
          const value = joints.at(person, frame, joint, axis);
          low[axis] = Math.min(low[axis], value);
          high[axis] = Math.max(high[axis], value);
        }
      }
    }
  }
  const size = low.map((value, axis) => Math.max(high[axis] - value, 1e-6));
  return { present, middle: low.map((value, axis) => (value + high[axis]) / 2), breadth: Math.max(size[0], size[2]), height: size[1] * 1.06 };
}

function paintPerson(context, points, { importance, chosen }, colours, person) {
  const { bones } = report.layout;
  const stroke = (colour, width) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.lineCap = "round";
    context.beginPath();
    for (const [a, b] of bones) { context.moveTo(...points[a]); context.lineTo(...points[b]); }
    context.stroke();
  };
  stroke(colours.body, 13);
  context.setLineDash(person ? [6, 4] : []);
  stroke(colours.line, 2);
  context.setLineDash([]);
  points.forEach(([x, y], joint) => {
    const share = importance ? importance.at(joint) : 0;
    if (chosen.has(joint)) {
      context.strokeStyle = colours.ring;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, 10.5, 0, 2 * Math.PI);
      context.stroke();
    }
    context.fillStyle = share > 0.04 ? colours.bright : colours.dot;
    context.globalAlpha = share > 0.04 ? 0.45 + 0.55 * share : 1;
    context.beginPath();
    context.arc(x, y, 2.6 + 6 * share, 0, 2 * Math.PI);
    context.fill();
    context.globalAlpha = 1;
  });
}
