// Test clips as moving skeletons, with the recognizer's predictions.

let filterPlayer = () => {};
const FRAMES_PER_SECOND = 30;

function drawPlayer(place, { clips, tested, mistakes, time_steps: timeSteps }) {
  const state = { clip: 0, frame: 0, playing: false, turn: 0, tilt: 0.08, speed: 1, importanceFor: "predicted", timer: 0, listed: [], joints: null };
  const canvas = html("canvas", { tabindex: 0, role: "application", "aria-label": "Skeleton player. Space plays, left and right step through the frames, A and D turn the skeleton." });
  const picks = html("div", { class: "picks", role: "listbox", "aria-label": "Clips" });
  const heading = html("div", { class: "side" }), bars = html("ol", { class: "bars" }), over = html("div", {});
  const clip = () => clips[state.clip];
  const frames = () => state.joints.shape[1];
  const redraw = () => { if (state.joints && canvas.clientWidth) paintScene(canvas, state, clip()); };

  const time = slider("player-frame", "Frame", 1, 0, (value) => { pause(); show(value); });
  const show = (frame) => {
    state.frame = frame;
    time.control.value = Math.round(frame);
    time.control.setAttribute("aria-valuetext", `frame ${Math.round(frame) + 1} of ${frames()}`);
    redraw();
    over.cursor?.((100 * (frame + 1)) / frames());
  };
  const play = html("button", { type: "button", id: "player-play", class: "button primary", on: { click: () => (state.playing ? pause() : start()) } }, "▶ Play");
  const pause = () => { state.playing = false; cancelAnimationFrame(state.timer); play.textContent = "▶ Play"; };
  const start = () => {
    state.playing = true;
    play.textContent = "❚❚ Pause";
    if (state.frame >= frames() - 1) state.frame = 0;
    let before = performance.now();
    const step = (now) => {
      if (!state.playing) return;
      // A clip of many frames is carried thinned out and still takes its time.
      const rate = (FRAMES_PER_SECOND * state.speed * frames()) / clip().frames;
      const next = state.frame + ((now - before) / 1000) * rate;
      before = now;
      show(next > frames() - 1 ? 0 : next);
      state.timer = requestAnimationFrame(step);
    };
    state.timer = requestAnimationFrame(step);
  };
  const speed = select("player-speed", "Speed", [["0.25", "¼"], ["0.5", "½"], ["1", "1"], ["2", "2"]], (value) => { state.speed = Number(value); });
  speed.control.value = "1";
  const importanceFor = select("player-importance", "Joints of", [["predicted", "the predicted class"], ["label", "the true class"], ["none", "no class"]], (value) => { state.importanceFor = value; redraw(); });

  const choose = (index, focus = false) => {
    state.clip = index;
    state.joints = unpack(clip().joints);
    time.control.max = frames() - 1;
    [...picks.children].forEach((pick) => {
      const chosen = Number(pick.dataset.clip) === index;
      pick.setAttribute("aria-selected", chosen);
      pick.tabIndex = chosen ? 0 : -1;
      if (chosen && focus) pick.focus();
    });
    describeClip(heading, clip());
    listProbabilities(bars, clip());
    const chart = probabilityChart(clip(), timeSteps);
    over.replaceChildren(chart.box);
    over.cursor = chart.cursor;
    show(0);
  };
  const filters = { label: "", rival: "", wrong: false };
  const list = () => {
    state.listed = clips.map((each, index) => [each, index]).filter(([each]) =>
      (filters.label === "" || each.label === Number(filters.label)) && (filters.rival === "" || each.predicted === Number(filters.rival))
      && !(filters.wrong && each.label === each.predicted));
    picks.replaceChildren(...state.listed.map(([each, index]) => html("button", { type: "button", role: "option", "data-clip": index, tabindex: -1, on: { click: () => choose(index) } },
      html("span", {}, report.classes[each.label], each.label === each.predicted ? null : html("span", { class: "rejected" }, ` → ${report.classes[each.predicted]}`)),
      html("small", {}, percent(each.top[0][1], 0)))));
    if (!state.listed.length) picks.append(html("p", { class: "dim small" }, "None of the shown clips matches."));
    else choose(state.listed[0][1]);
  };
  picks.addEventListener("keydown", (event) => {
    const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!move || !state.listed.length) return;
    event.preventDefault();
    const at = state.listed.findIndex(([, index]) => index === state.clip);
    choose(state.listed[clamp(at + move, 0, state.listed.length - 1)][1], true);
  });
  const classes = select("player-class", "True class", classOptions("every class"), (value) => { filters.label = value; list(); });
  const rivals = select("player-rival", "Predicted", classOptions("every class"), (value) => { filters.rival = value; list(); });
  const wrong = checkbox("player-wrong", "mistakes only", false, (value) => { filters.wrong = value; list(); });
  filterPlayer = (label, rival) => {
    classes.control.value = filters.label = String(label);
    rivals.control.value = filters.rival = String(rival);
    wrong.control.checked = filters.wrong = false;
    list();
  };
  turnable(canvas, state, redraw);
  steered(canvas, state, { redraw, play, pause, show, frames });
  place.append(
    html("p", { class: "lead" }, `${clips.length} of ${tested} test clips, the kinds of mistakes first (${mistakes} mistakes in all). `, html("span", { class: "screen" }, "Drag to rotate.")),
    html("div", { class: "controls" }, classes.field, rivals.field, wrong.field),
    html("div", { class: "theatre" },
      html("div", { class: "card" }, picks),
      html("div", { class: "card stage" }, canvas, html("div", { class: "controls" }, play, time.field, speed.field), html("div", { class: "controls" }, importanceFor.field), sceneLegend()),
      html("div", { class: "card side" }, heading, bars, over)));
  list();
  responsive(canvas, redraw);
  onTheme(redraw);
}

function describeClip(heading, { id, label, predicted, frames }) {
  const right = label === predicted;
  heading.replaceChildren(html("h3", {}, report.classes[label]),
    html("p", {}, right ? html("span", { class: "accepted" }, "recognised") : ["mistaken for ", html("span", { class: "rejected" }, report.classes[predicted])]),
    html("p", { class: "dim small" }, `${id} · ${frames} frames`));
}

function listProbabilities(bars, { top, label, predicted }) {
  bars.replaceChildren(...top.map(([y, share]) => html("li", { class: y === label ? "true" : y === predicted ? "wrong" : null },
    html("b", {}, report.classes[y]), html("span", { class: "dim" }, percent(share)), html("i", { style: `width:${100 * share}%` }))));
}

/** Return a chart of the class probabilities after more and more of the clip. */
function probabilityChart(clip, timeSteps) {
  const shares = unpack(clip.probs_over_time);
  const seen = Array.from({ length: timeSteps }, (_, index) => Math.round((100 * (index + 1)) / timeSteps));
  const colour = (y) => (y === clip.label ? "var(--good)" : y === clip.predicted ? "var(--salient)" : "var(--other)");
  const series = clip.classes.map((y, index) => ({ name: report.classes[y], x: seen, y: seen.map((_, step) => shares.at(step, index)), colour: colour(y), style: index }));
  const plot = lineChart({ series, format: SHARES, range: [0, 1], height: 190, xName: "part of the clip seen (%)", yName: "probability (%)", description: "Probability of the classes after more and more of the clip" });
  const box = figure({
    name: "probabilities", title: "Probabilities as the clip unfolds", plot, bare: true,
    rows: () => [["share of the clip", ...clip.classes.map(className)], ...seen.map((share, step) => [share / 100, ...clip.classes.map((_, index) => shares.at(step, index))])],
  });
  box.append(legend(series));
  return { box, cursor: (percentage) => plot.point?.(percentage) };
}

/** Return what dots and rings mean; rings only where agents chose joints. */
function sceneLegend() {
  const mark = (parts) => svg("svg", { width: 24, height: 24, viewBox: "-12 -12 24 24", "aria-hidden": "true" }, parts);
  return html("ul", { class: "legend" },
    html("li", {}, mark([svg("circle", { r: 6.5, fill: "var(--salient)" })]), "important: kept still, it lowers the probability of the class"),
    report.joints ? html("li", {}, mark([svg("circle", { r: 9.5, fill: "none", stroke: "var(--accent)", "stroke-width": 2 }), svg("circle", { r: 2.6, fill: "var(--bone)" })]), "chosen by the agents for the class") : null);
}

/** Let keys play, go through the frames of, and turn the clip on a canvas. */
function steered(canvas, state, { redraw, play, pause, show, frames }) {
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 }[event.key];
    const turn = { a: -0.15, d: 0.15 }[event.key];
    if (event.key === " ") { event.preventDefault(); play.click(); }
    if (turn) { state.turn += turn; redraw(); }
    if (!move) return;
    event.preventDefault();
    pause();
    show(clamp(Math.round(state.frame) + move, 0, frames() - 1));
    say(`frame ${state.frame + 1} of ${frames()}`);
  });
}

/** Let a pointer turn the figure on a canvas. */
function turnable(canvas, state, redraw) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    state.turn += (event.clientX - from[0]) / 120;
    state.tilt = clamp(state.tilt + (event.clientY - from[1]) / 200, -1.2, 1.2);
    from = [event.clientX, event.clientY];
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { from = null; });
}
