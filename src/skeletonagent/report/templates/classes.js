// Each class by itself, against the baseline if there is one (paper figure 4c and table 6).

function drawClasses(place, { samples, accuracy, baseline, subsets, comparison, scores, runs }) {
  const labels = accuracy.map((share, label) => label).filter((label) => accuracy[label] !== null);
  const gain = (label) => (baseline ? accuracy[label] - (baseline[label] ?? 0) : accuracy[label]);
  const long = labels.length > 60;
  const chart = html("div", { class: long ? "plot long" : "plot", "data-draws": "svg", tabindex: long ? 0 : null, role: long ? "group" : null, "aria-label": long ? "Bars of all classes" : null });
  let order = "value";
  const draw = (width) => drawClassBars(chart, width, sortedClasses(labels, gain, order), { gain, accuracy, baseline, samples });
  responsive(chart, draw);
  const ordering = select("classes-order", "Order", [["value", baseline ? "difference" : "accuracy"], ["label", "class order"], ["name", "name"]],
    (value) => { order = value; draw(chart.clientWidth); });
  const box = figure({
    name: "classes", plot: chart,
    title: baseline ? "Accuracy of each class, against the baseline" : "Accuracy of each class",
    caption: baseline ? "Points gained (right, blue) or lost (left, orange); means where there are several runs." : "Of the test set. Name a second run, or --baseline RUN, to see differences.",
    rows: () => [["class", "samples", "accuracy", "baseline"], ...labels.map((each) => [report.classes[each], samples[each], accuracy[each], baseline ? baseline[each] : null])],
  });
  box.insertBefore(html("div", { class: "controls" }, ordering.field), chart);
  place.append(comparison ? comparisonCard(comparison) : "", subsetCard(subsets, Boolean(baseline)), box,
    scoresFigure(labels, { samples, baseline, scores, runs }));
}

/** Return precision, recall, F1 and support of each class as a table. */
function scoresFigure(labels, { samples, baseline, scores, runs }) {
  const rows = report.classes.map((name, label) => ({
    label, name, support: samples[label], precision: scores.precision[label], recall: scores.recall[label], f1: scores.f1[label],
    baseline: baseline ? baseline[label] : null, gain: baseline && baseline[label] !== null && scores.recall[label] !== null ? scores.recall[label] - baseline[label] : null,
  }));
  const share = (value) => percent(value);
  const columns = [
    { key: "name", name: "class" },
    { key: "support", name: "support", title: "number of test clips of the class", number: true },
    { key: "precision", name: "precision", title: "share of the clips predicted as the class that are of it", number: true, text: share },
    { key: "recall", name: "recall", title: "share of the class's clips that are recognised, its accuracy", number: true, text: share },
    { key: "f1", name: "F1", title: "harmonic mean of precision and recall", number: true, text: share },
    ...(baseline ? [
      { key: "baseline", name: "baseline recall", number: true, text: share },
      { key: "gain", name: "difference (points)", number: true, cell: ({ gain }) => (gain === null || gain === undefined ? "–" : html("span", { class: gain < 0 ? "down" : "up" }, signed(100 * gain))) },
    ] : []),
  ];
  const total = samples.reduce((sum, count) => sum + count, 0);
  const foot = [["mean over classes", scores.macro], ["mean over clips", scores.weighted]]
    .map(([name, values]) => ({ name, support: total, ...values, baseline: null, gain: null }));
  return figure({
    name: "class-scores", title: "Precision, recall and F1 of each class", picture: false,
    caption: `${runs > 1 ? `Means of ${runs} runs. ` : ""}The heads of the columns sort. A class that was never predicted has no precision; it counts as 0 in the means.`,
    plot: sortableTable({ label: "Precision, recall and F1 of each class", columns, rows, foot, long: rows.length > 20 }),
    rows: () => [["class", "support", "precision", "recall", "f1", "baseline recall"], ...rows.map((row) => [row.name, row.support, row.precision, row.recall, row.f1, row.baseline])],
  });
}

function sortedClasses(labels, gain, order) {
  const keys = { value: (a, b) => gain(b) - gain(a), label: (a, b) => a - b, name: (a, b) => report.classes[a].localeCompare(report.classes[b]) };
  return [...labels].sort(keys[order]);
}

function drawClassBars(chart, width, labels, { gain, accuracy, baseline, samples }) {
  const line = labels.length > 120 ? 12 : 22, base = labels.length * line + 4, height = base + 40;
  const left = Math.min(220, 0.42 * width), right = 58;
  const most = baseline ? Math.max(0.01, ...labels.map((label) => Math.abs(gain(label)))) : 1;
  const low = baseline ? -most : 0;
  const x = (value) => left + ((value - low) / (most - low)) * (width - left - right);
  const describe = (label) => `${report.classes[label]}: ${percent(accuracy[label])}`
    + `${baseline ? `, baseline ${percent(baseline[label])}, ${signed(100 * gain(label))} points` : ""}, ${samples[label]} samples`;
  chart.replaceChildren(svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Bars, longest first: ${labels.slice(0, 3).map(describe).join("; ")}` },
    ticks(low, most, width < 560 ? 3 : 6).map((value) => [
      svg("line", { class: "rule", x1: x(value), x2: x(value), y1: 0, y2: base }),
      svg("text", { x: x(value), y: base + 16, "text-anchor": "middle" }, baseline ? plain(100 * value) : percent(value, 0)),
    ]),
    svg("text", { class: "axis", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, baseline ? "difference of accuracy (points)" : "accuracy (%)"),
    labels.map((label, index) => {
      const y = index * line, value = gain(label), from = x(Math.min(0, value)), to = x(Math.max(0, value));
      return svg("g", {}, svg("title", {}, describe(label)),
        svg("rect", { x: 0, y, width, height: line, fill: "transparent" }),
        svg("text", { class: "strong", x: left - 10, y: y + line / 2 + 4, "text-anchor": "end", "font-size": line < 15 ? 9 : 12 }, shortened(report.classes[label], Math.floor(left / 6.8))),
        svg("rect", { x: from, y: y + 3, width: Math.max(to - from, 1), height: line - 6, rx: 2, fill: value < 0 ? "var(--below)" : "var(--above)" }),
        svg("text", { x: width - 4, y: y + line / 2 + 4, "text-anchor": "end", "font-size": line < 15 ? 9 : 12 }, baseline ? signed(100 * value) : percent(value, 0)));
    })));
}

function comparisonCard({ difference, seeds, paired, only_first: onlyFirst, only_second: onlySecond, p, names }) {
  const parts = [`${signed(100 * difference)} points${seeds > 1 ? " in the mean" : ""}.`];
  if (paired && paired.low !== null) {
    parts.push(`Over ${seeds} seeds that both were trained with, the 95% interval of the difference is ${signed(100 * paired.low)} to ${signed(100 * paired.high)} points.`);
  } else parts.push("One pair of runs says nothing about what other seeds would give.");
  if (p !== null) {
    parts.push(`On the same samples, ${names[0]} alone has ${onlyFirst} right and ${names[1]} alone ${onlySecond} (exact McNemar test, p ${p < 0.001 ? "< 0.001" : `= ${Number(p.toPrecision(2))}`}).`);
  }
  return html("p", { class: "lead" }, parts.join(" "));
}

function subsetCard(subsets, compared) {
  const bounds = { hard: "hard (below 70%)", medium: "medium", easy: "easy (above 90%)" };
  const rows = subsets.map(({ name, classes, accuracy, baseline }) => ({
    name: bounds[name] || name, number: classes.length, accuracy, baseline, members: classes.map(className).join(", "),
    gain: compared && accuracy !== null && baseline !== null ? accuracy - baseline : null,
  }));
  const columns = [
    { key: "name", name: "classes that are", cell: ({ name, members }) => html("span", { title: members }, name) },
    { key: "number", name: "classes", number: true },
    compared ? { key: "baseline", name: "baseline", number: true, text: (value) => percent(value) } : null,
    { key: "accuracy", name: "accuracy", number: true, text: (value) => percent(value) },
    compared ? { key: "gain", name: "difference (points)", number: true, cell: ({ gain }) => (gain === null ? "–" : html("span", { class: gain < 0 ? "down" : "up" }, signed(100 * gain))) } : null,
  ].filter(Boolean);
  return html("div", { class: "card" },
    html("figcaption", {}, html("h3", {}, "Hard, medium and easy classes"),
      html("p", {}, compared ? "Sorted by how well the baseline knows them (paper table 6); the baseline's own figures on them are flattered or belittled by that."
        : "Sorted by this run's own accuracy, which says nothing about a gain; the paper sorts by a baseline's.")),
    sortableTable({ label: "Hard, medium and easy classes", columns, rows }));
}
