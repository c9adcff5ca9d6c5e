// The learned graphs of each block, beside the salient joints of a class (paper figure 6).

function drawTopologies(place, { epoch, blocks, epochs, means, salient }) {
  const graphs = blocks.map((block) => unpack(block.graphs));
  const history = means ? unpack(means) : null;
  const k = unpack(salient), v = report.layout.names.length;
  const state = { block: blocks.length - 1, graph: "mean", label: 0, epoch: epochs.length };
  const heat = html("canvas", { tabindex: 0, role: "application", "aria-label": "Learned graph, what each joint (column) takes from another (row). Arrow keys move." });
  const mask = html("canvas", { role: "img" });
  const heatPlot = html("div", { class: "plot", "data-draws": "canvas" }, heat);
  const maskPlot = html("div", { class: "plot", "data-draws": "canvas" }, mask);
  const drawing = html("div", {}), caption = html("p", { class: "dim small" });

  const values = () => graphValues(state, graphs, history, epochs, v);
  const isSalient = (joint) => k.at(state.label, joint) > 0;
  const redraw = () => {
    if (!heatPlot.clientWidth) return;
    const shown = values();
    paintHeat(heat, heatPlot.clientWidth, v, shown.values, shown.most, state.at);
    paintHeat(mask, maskPlot.clientWidth, v, (row) => (isSalient(row) ? 1 : 0), 1, null, true);
    mask.setAttribute("aria-label", `K of ${report.classes[state.label]}: the rows of ${jointNames([...Array(v).keys()].filter(isSalient))} are ones`);
    const links = strongest(shown.values, v, 12).map(({ from, to, value }) => ({
      from, to, colour: value < 0 ? "var(--below)" : "var(--above)", width: 0.6 + 2.6 * Math.abs(value / shown.most) }));
    const marks = {};
    for (let joint = 0; joint < v; joint += 1) if (isSalient(joint)) marks[joint] = "seen";
    drawing.replaceChildren(skeleton(marks, "The strongest links of the graph", links));
    caption.textContent = `${shown.text}; strongest value ${plain(shown.most)}.`;
  };
  const block = select("topologies-block", "Block", blocks.map(({ name }, index) => [String(index), name]), (value) => { state.block = Number(value); redraw(); });
  block.control.value = String(state.block);
  const count = Math.max(...graphs.map((graph) => graph.shape[0]));
  const graph = select("topologies-graph", "Graph", [["mean", "mean of all"], ...Array.from({ length: count }, (_, index) => [String(index), `graph ${index + 1}`])], (value) => { state.graph = value; redraw(); });
  const label = select("topologies-class", "K of", classOptions("").slice(1), (value) => { state.label = Number(value); redraw(); });
  state.label = mostConfused(new Set(report.classes.keys()), 1)[0];
  label.control.value = String(state.label);
  const time = slider("topologies-epoch", "Epoch", epochs.length, epochs.length, (value) => {
    state.epoch = value;
    if (value < epochs.length) graph.control.value = state.graph = "mean";
    redraw();
  });

  const read = (row, column) => {
    const { names } = report.layout;
    return `${names[column]} takes from ${names[row]}: ${plain(values().values(row, column))}`;
  };
  heat.addEventListener("pointermove", (event) => {
    const box = heat.getBoundingClientRect(), { left, top, cell } = heatFrame(box.width, v);
    const [row, column] = [event.clientY - box.top - top, event.clientX - box.left - left].map((at) => Math.floor(at / cell));
    if (row >= 0 && column >= 0 && row < v && column < v) tell(read(row, column), event);
  });
  heat.addEventListener("pointerleave", () => tell(""));
  heat.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    state.at = (state.at || [0, 0]).map((at, axis) => clamp(at + move[axis], 0, v - 1));
    redraw();
    say(read(...state.at));
  });
  heat.addEventListener("blur", () => { state.at = null; redraw(); });
  const table = (at) => () => [["from", "to", "value"], ...Array.from({ length: v * v }, (_, index) => {
    const [row, column] = [Math.floor(index / v), index % v];
    return [report.layout.names[row], report.layout.names[column], at(row, column)];
  })];
  const first = figure({ name: "graph", title: "Learned graph", caption: "Row: the joint that gives; column: the joint that takes. Blue adds, orange takes away.", plot: heatPlot, rows: () => table(values().values)() });
  first.append(caption);
  place.append(
    html("div", { class: "controls" }, block.field, graph.field, label.field, epochs.length ? time.field : null),
    html("div", { class: "three" }, first,
      figure({ name: "k", title: "Salient joints, K", caption: "What the agents chose for the class: the rows of salient joints are ones.", plot: maskPlot, rows: () => table((row) => (isSalient(row) ? 1 : 0))() }),
      html("div", { class: "card" }, html("h3", {}, "Strongest links"), html("p", { class: "dim small" }, "The twelve strongest between two joints; filled joints are salient for the class."), drawing)));
  responsive(heatPlot, redraw);
  onTheme(redraw);

  function graphValues({ block: b, graph: chosen, epoch: e }) {
    const shown = graphs[b], parts = shown.shape[0];
    const before = history && e < epochs.length;
    const mean = (row, column) => Array.from({ length: parts }, (_, index) => shown.at(index, row, column)).reduce((sum, each) => sum + each, 0) / parts;
    const index = Math.min(Number(chosen) || 0, parts - 1);
    const at = before ? (row, column) => history.at(e, b, row, column) : chosen === "mean" ? mean : (row, column) => shown.at(index, row, column);
    const table_ = Float32Array.from({ length: v * v }, (_, place_) => at(Math.floor(place_ / v), place_ % v));
    const text = `${blocks[b].name}, ${before || chosen === "mean" ? "mean of its graphs" : `graph ${index + 1}`}, after ${before ? epochs[e] : epoch} epochs`;
    return { values: (row, column) => table_[row * v + column], most: table_.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9), text };
  }
}

function strongest(values, v, most) {
  const links = [];
  for (let from = 0; from < v; from += 1) {
    for (let to = 0; to < v; to += 1) if (from !== to) links.push({ from, to, value: values(from, to) });
  }
  return links.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, most);
}

/** Return the room for the joints' names, and the breadth of a cell. */
function heatFrame(width, v) {
  const left = 104, top = 18;
  return { left, top, cell: (Math.min(width, 520) - left) / v };
}

function paintHeat(canvas, width, v, values, most, at, single = false) {
  const { left, top, cell } = heatFrame(width, v), size = v * cell;
  const context = sharp(canvas, left + size, top + size);
  Object.assign(canvas.style, { width: `${left + size}px`, height: `${top + size}px` });
  context.fillStyle = css("--ink");
  context.fillText("gives ↓", 44, top - 6);
  context.fillText("joint that takes, in the same order →", left, top - 6);
  context.translate(0, top);
  context.font = context.font.replace(/^\d+px/, `${Math.min(10.5, 0.85 * cell).toFixed(1)}px`);
  context.textAlign = "right";
  context.fillStyle = css("--dim");
  report.layout.names.forEach((name, row) => context.fillText(shortened(name, 16), left - 6, (row + 0.5) * cell + 3.5));
  context.translate(left, 0);
  for (let row = 0; row < v; row += 1) {
    for (let column = 0; column < v; column += 1) {
      const value = values(row, column) / most;
      context.fillStyle = rgb(single ? sequential(0.75 * value) : diverging(value));
      context.fillRect(column * cell, row * cell, cell + 0.4, cell + 0.4);
    }
  }
  if (!at) return;
  context.strokeStyle = css("--ink");
  context.lineWidth = 2;
  context.strokeRect(at[1] * cell, at[0] * cell, cell, cell);
}
