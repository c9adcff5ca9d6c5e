// Where clips lie among each other, epoch by epoch (paper figure 5).

function drawEmbedding(place, { method, epochs, sample_ids: ids, labels, positions, neighbour_accuracy: neighbours, num_neighbours: voters }) {
  const points = unpack(positions), last = epochs.length - 1;
  const state = { at: last, label: "", moving: 0, timer: 0 };
  const canvas = html("canvas", { tabindex: 0, role: "application" });
  const plot = html("div", { class: "plot", "data-draws": "canvas" }, canvas);
  const key = html("ul", { class: "legend" });
  const present = new Set(labels);
  const reach = [0, 1].map((axis) => points.scale * points.values.reduce((most, value, index) => (index % 2 === axis ? Math.max(most, Math.abs(value)) : most), 1));
  let chosen = [];

  const at = (sample, axis) => {
    const low = Math.floor(state.at), high = Math.min(low + 1, last), share = state.at - low;
    return points.at(low, sample, axis) * (1 - share) + points.at(high, sample, axis) * share;
  };
  const screen = (width, height) => {
    const scale = Math.min((width / 2 - 10) / reach[0], (height / 2 - 10) / reach[1]);
    return (sample) => [width / 2 + at(sample, 0) * scale, height / 2 - at(sample, 1) * scale];
  };
  let size = [1, 1];
  const redraw = () => {
    const width = plot.clientWidth;
    if (!width) return;
    size = [width, clamp(1.02 * width * (reach[1] / reach[0]), 0.55 * width, Math.max(0.85 * width, 320))];
    paintEmbedding(canvas, size, screen(...size), { labels, chosen, method });
    const now = Math.round(state.at);
    canvas.setAttribute("aria-label", `${ids.length} clips after ${epochs[now]} epochs; ${percent(neighbours[now], 0)} lie among clips of their class. Arrow keys change the epoch.`);
  };
  const recolour = () => {
    chosen = state.label === "" ? mostConfused(present, 6) : [Number(state.label), ...rivalsOf(Number(state.label), present, 5)];
    key.replaceChildren(...chosen.map((label, index) => html("li", {}, markerIcon(index), report.classes[label])),
      html("li", {}, svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, svg("circle", { cx: 6, cy: 6, r: 2.2, fill: "var(--other)", opacity: 0.6 })), "all others"));
    redraw();
  };
  const time = slider("embedding-epoch", "Epoch", last, last, (value) => { stop(); moveTo(value); });
  const name = html("span", { class: "dim small" });
  const moveTo = (value) => {
    state.at = value;
    time.control.value = Math.round(value);
    name.textContent = `after epoch ${epochs[Math.round(value)]}`;
    redraw();
  };
  const stop = () => { cancelAnimationFrame(state.timer); state.timer = 0; play.textContent = "▶ Play"; };
  const play = html("button", { type: "button", class: "button", on: { click: () => {
    if (state.timer) { stop(); return; }
    play.textContent = "❚❚ Pause";
    if (state.at >= last) state.at = 0;
    let before = performance.now();
    const step = (now) => {
      const next = reducedMotion ? state.at + (now - before > 900 ? 1 : 0) : state.at + (now - before) / 900;
      if (!reducedMotion || next !== state.at) before = now;
      moveTo(Math.min(next, last));
      if (state.at >= last) stop();
      else state.timer = requestAnimationFrame(step);
    };
    state.timer = requestAnimationFrame(step);
  } } }, "▶ Play");
  const which = select("embedding-class", "Colour", [["", "the most confused classes"], ...classOptions("").slice(1).filter(([value]) => present.has(Number(value))).map(([value, text]) => [value, `${text} and its rivals`])], (value) => { state.label = value; recolour(); });

  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect(), spot = screen(...size);
    let best = -1, closest = 144;
    labels.forEach((label, sample) => {
      const [x, y] = spot(sample);
      const distance = (event.clientX - box.left - x) ** 2 + (event.clientY - box.top - y) ** 2;
      if (distance < closest) [best, closest] = [sample, distance];
    });
    tell(best < 0 ? "" : `${report.classes[labels[best]]}\n${ids[best]}`, event);
  });
  canvas.addEventListener("pointerleave", () => tell(""));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    stop();
    moveTo(clamp(Math.round(state.at) + move, 0, last));
    say(canvas.getAttribute("aria-label"));
  });
  const box = figure({
    name: "embedding", title: `${ids.length} clips by ${method}`,
    caption: "The same clips at every epoch. Distances between far groups mean little; the figure beside it is counted in all dimensions.", plot,
    rows: () => [["epoch", "sample", "class", "x", "y"], ...epochs.flatMap((epoch, index) => ids.map((id, sample) => [epoch, id, report.classes[labels[sample]], points.at(index, sample, 0), points.at(index, sample, 1)]))],
  });
  box.insertBefore(html("div", { class: "controls" }, which.field, last ? [play, time.field, name] : null), plot);
  box.append(key);
  const side = [];
  if (last) {
    side.push(figure({
      name: "neighbours", title: "Clips among their own class",
      caption: `Share of clips whose ${voters} nearest name their class.`,
      plot: lineChart({ series: [{ name: "among their own", x: epochs, y: neighbours, colour: "var(--accent)" }], format: SHARES, range: [0, 1], xName: "epoch", yName: "share of clips (%)", description: "Clips among their own class", height: 220 }),
      rows: () => [["epoch", "share"], ...epochs.map((epoch, index) => [epoch, neighbours[index]])],
    }));
  }
  place.append(side.length ? html("div", { class: "split" }, box, html("div", { class: "side" }, side)) : box);
  moveTo(last);
  recolour();
  responsive(plot, redraw);
  onTheme(recolour);
}

function markerIcon(index) {
  const canvas = html("canvas", { "aria-hidden": "true", style: "width:14px;height:14px" });
  marker(sharp(canvas, 14, 14), index, 7, 7, 4.2, category(index));
  return canvas;
}

/** Return the classes of the most frequent confusions, or the first ones. */
function mostConfused(present, most) {
  const { matrix } = report.sections;
  const pairs = matrix ? worstPairs(dense(matrix[0], report.classes.length), 60) : [];
  const labels = new Set(pairs.flatMap(({ m, n }) => [m, n]).filter((label) => present.has(label)));
  return [...labels, ...[...present].filter((label) => !labels.has(label))].slice(0, most);
}

function rivalsOf(label, present, most) {
  const { matrix } = report.sections;
  if (!matrix) return [];
  const counts = dense(matrix[0], report.classes.length);
  const both = (other) => countOf(counts, label, other) + countOf(counts, other, label);
  return [...present].filter((other) => other !== label && both(other)).sort((a, b) => both(b) - both(a)).slice(0, most);
}

function paintEmbedding(canvas, [width, height], spot, { labels, chosen, method }) {
  const context = sharp(canvas, width, height);
  nameDimensions(context, width, height, method);
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  context.globalAlpha = 0.35;
  context.fillStyle = css("--other");
  labels.forEach((label, sample) => {
    if (chosen.includes(label)) return;
    const [x, y] = spot(sample);
    context.beginPath();
    context.arc(x, y, 2.4, 0, 2 * Math.PI);
    context.fill();
  });
  context.globalAlpha = 0.92;
  const colours = chosen.map((label, index) => category(index));
  labels.forEach((label, sample) => {
    const index = chosen.indexOf(label);
    if (index >= 0) marker(context, index, ...spot(sample), 4.3, colours[index]);
  });
  context.globalAlpha = 1;
}

/** Write the names of both dimensions along the edges; their scale has no unit. */
function nameDimensions(context, width, height, method) {
  context.fillStyle = css("--dim");
  context.textAlign = "right";
  context.fillText(`first dimension of ${method} →`, width - 4, height - 5);
  context.save();
  context.translate(12, 4);
  context.rotate(-Math.PI / 2);
  context.fillText("second dimension →", 0, 0);
  context.restore();
}
