// The confusion matrix: sortable, with every cell's story, on a canvas however many classes.

function drawMatrix(place, matrices) {
  const y = report.classes.length;
  const many = innerWidth < NARROW ? 12 : 60;
  const state = { matrix: dense(matrices[0], y), order: "together", shown: y > many ? (many < 60 ? 8 : 40) : y, share: true, diagonal: true, at: null, pinned: null };
  const canvas = html("canvas", { tabindex: 0, role: "application", "aria-label": "Confusion matrix, true classes in rows, predicted in columns. Arrow keys move, Enter keeps a cell." });
  const plot = html("div", { class: "plot pan", "data-draws": "canvas" }, canvas);
  const detail = html("div", { class: "detail", id: "matrix-detail" });
  const pairs = html("ol", { class: "pairs" });
  let view = { labels: [], cell: 1, left: 0, top: 0 };

  const redraw = () => { if (plot.clientWidth) view = paintMatrix(canvas, plot.clientWidth, state); };
  const show = (m, n) => { state.at = [m, n]; redraw(); describe(detail, state, m, n); };
  const reveal = (n) => {
    const from = state.labels.indexOf(n) * view.cell, room = plot.clientWidth - view.left;
    plot.scrollLeft = clamp(plot.scrollLeft, from + view.cell - room, from);
  };
  const reorder = () => { state.labels = matrixOrder(state); redraw(); };
  const changed = () => {
    listPairs(pairs, state.matrix, (m, n) => { state.pinned = [m, n]; include(m, n); show(m, n); });
    reorder();
    const [worst] = worstPairs(state.matrix, 1);
    if (worst) { state.at = [worst.m, worst.n]; redraw(); describe(detail, state, worst.m, worst.n); }
  };
  const include = (...labels) => {
    if (labels.some((label) => !state.labels.includes(label))) { state.shown = y; shown.control.value = String(y); reorder(); }
  };
  const which = select("matrix-which", "Of", matrices.map(({ title }, index) => [String(index), title]), (value) => { state.matrix = dense(matrices[value], y); changed(); });
  const order = select("matrix-order", "Order", [["together", "confused classes together"], ["mistakes", "most mistakes first"], ["accuracy", "lowest accuracy first"], ["label", "class order"], ["name", "name"]], (value) => { state.order = value; reorder(); });
  const sizes = [8, 20, 40, 80, 160].filter((size) => size < y);
  const shown = select("matrix-shown", "Classes", [...sizes.map((size) => [String(size), `the ${size} most confused`]), [String(y), `all ${y}`]], (value) => { state.shown = Number(value); reorder(); });
  shown.control.value = String(state.shown);
  const share = checkbox("matrix-share", "as shares of the class", true, (value) => { state.share = value; redraw(); });
  const diagonal = checkbox("matrix-diagonal", "with what is right", true, (value) => { state.diagonal = value; redraw(); });

  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const [column, row] = [event.clientX - box.left - view.left, event.clientY - box.top - view.top].map((offset) => Math.floor(offset / view.cell));
    const [m, n] = [state.labels[row], state.labels[column]];
    if (event.clientX - plot.getBoundingClientRect().left < view.left) return null;
    return row >= 0 && column >= 0 && m !== undefined && n !== undefined ? [m, n] : null;
  };
  canvas.addEventListener("pointermove", (event) => {
    const cell = cellAt(event);
    if (!cell) { tell(""); return; }
    tell(cellInWords(state.matrix, ...cell), event);
    if (!state.pinned) show(...cell);
  });
  canvas.addEventListener("pointerleave", () => tell(""));
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(event);
    state.pinned = cell && String(cell) !== String(state.pinned) ? cell : null;
    if (cell) show(...cell);
  });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Enter") state.pinned = state.pinned ? null : state.at;
    if (!move) return;
    event.preventDefault();
    const at = (state.at || [state.labels[0], state.labels[0]]).map((label) => Math.max(0, state.labels.indexOf(label)));
    const [m, n] = at.map((index, axis) => state.labels[clamp(index + move[axis], 0, state.labels.length - 1)]);
    state.pinned = [m, n];
    reveal(n);
    show(m, n);
    say(cellInWords(state.matrix, m, n));
  });
  const box = figure({
    name: "confusions", title: "True class (rows) against predicted class (columns)", plot,
    caption: "In per cent of the true class's clips, unless counts are chosen.",
    rows: () => [["true", "predicted", "count", "share"], ...nonzero(state.matrix).map(([m, n, count]) => [report.classes[m], report.classes[n], count, count / state.matrix.totals[m]])],
  });
  box.insertBefore(html("div", { class: "controls" }, which.field, order.field, y > 10 ? shown.field : null, share.field, diagonal.field), plot);
  place.append(html("div", { class: "split" }, box,
    html("div", { class: "side" }, html("div", { class: "card" }, html("h3", { class: "unseen" }, "The chosen cell"), detail),
      html("div", { class: "card" }, html("h3", {}, "Most frequent confusions"), pairs))));
  changed();
  plot.addEventListener("scroll", redraw);
  responsive(plot, redraw);
  onTheme(redraw);
}

/** Return counts by `row * y + column`, with the sums of rows. */
function dense({ index: packed, count }, y) {
  const counts = new Uint32Array(y * y), totals = new Uint32Array(y), mistakes = new Uint32Array(y);
  const indices = unpack(packed).values, values = unpack(count).values;
  indices.forEach((index, entry) => {
    const m = Math.floor(index / y);
    counts[index] = values[entry];
    totals[m] += values[entry];
    if (m !== index % y) mistakes[m] += values[entry];
  });
  return { y, counts, totals, mistakes, indices };
}

const countOf = ({ counts, y }, m, n) => counts[m * y + n];
const nonzero = (matrix) => [...matrix.indices].map((index) => [Math.floor(index / matrix.y), index % matrix.y, matrix.counts[index]]);

function worstPairs(matrix, most) {
  return nonzero(matrix).filter(([m, n]) => m !== n).map(([m, n, count]) => ({ m, n, count, share: count / matrix.totals[m] }))
    .sort((a, b) => b.count - a.count || b.share - a.share).slice(0, most);
}

function cellInWords(matrix, m, n) {
  const count = countOf(matrix, m, n), of = `${count} of ${matrix.totals[m]} (${percent(count / (matrix.totals[m] || 1), 0)})`;
  return m === n ? `${report.classes[m]}\nrecognised: ${of}` : `${report.classes[m]}\nmistaken for ${report.classes[n]}: ${of}`;
}

function describe(detail, { matrix, pinned }, m, n) {
  const [first, second] = cellInWords(matrix, m, n).split("\n");
  const reverse = m === n ? null : html("p", { class: "dim small" }, `The other way round: ${countOf(matrix, n, m)} of ${matrix.totals[n]}.`);
  const links = html("p", { class: "controls" });
  const { player, agents } = report.sections;
  const clips = player ? player.clips.filter((clip) => clip.label === m && clip.predicted === n) : [];
  if (clips.length) links.append(html("button", { type: "button", class: "button", on: { click: () => { filterPlayer(m, n); goTo("player"); } } }, `Play ${clips.length === 1 ? "a clip" : `${clips.length} clips`}`));
  if (agents) links.append(html("button", { type: "button", class: "button", on: { click: () => { filterAgents(m); goTo("agents"); } } }, "Dialogue of the agents"));
  detail.replaceChildren(html("h3", {}, first), html("p", {}, second), ...[reverse].filter(Boolean), links,
    ...(pinned ? [] : [html("p", { class: "dim small screen" }, "Point at a cell; a click keeps it.")]));
}

function listPairs(list, matrix, choose) {
  const worst = worstPairs(matrix, 8);
  list.replaceChildren(...worst.map(({ m, n, count, share }) => html("li", {},
    html("button", { type: "button", on: { click: () => choose(m, n) } },
      html("span", {}, report.classes[m], html("span", { class: "dim" }, " → "), report.classes[n]),
      html("small", {}, `${count} · ${percent(share, 0)}`)))));
  if (!worst.length) list.append(html("li", { class: "dim" }, "No mistake at all."));
}

/** Return the labels to show in the chosen order. */
function matrixOrder({ matrix, order, shown }) {
  const { y, totals, mistakes } = matrix;
  const all = Array.from({ length: y }, (_, label) => label);
  const received = new Uint32Array(y);
  nonzero(matrix).forEach(([m, n, count]) => { if (m !== n) received[n] += count; });
  const trouble = (label) => mistakes[label] + received[label];
  const kept = new Set([...all].sort((a, b) => trouble(b) - trouble(a) || a - b).slice(0, shown));
  const labels = all.filter((label) => kept.has(label));
  const share = (label) => (totals[label] ? countOf(matrix, label, label) / totals[label] : 2);
  if (order === "together") return together(matrix, labels, trouble);
  const keys = { mistakes: (a, b) => mistakes[b] - mistakes[a], accuracy: (a, b) => share(a) - share(b), name: (a, b) => report.classes[a].localeCompare(report.classes[b]), label: (a, b) => a - b };
  return labels.sort((a, b) => keys[order](a, b) || a - b);
}

/** Return labels as chains: after each class the one it is most confused with. */
function together(matrix, labels, trouble) {
  const left = new Set([...labels].sort((a, b) => trouble(b) - trouble(a) || a - b));
  const chain = [];
  while (left.size) {
    const last = chain.at(-1);
    let next = null, most = 0;
    if (last !== undefined) {
      for (const label of left) {
        const both = countOf(matrix, last, label) + countOf(matrix, label, last);
        if (both > most) [next, most] = [label, both];
      }
    }
    chain.push(next ?? left.values().next().value);
    left.delete(chain.at(-1));
  }
  return chain;
}
