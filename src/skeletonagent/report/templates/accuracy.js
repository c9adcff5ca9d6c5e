// Accuracies of all runs with their intervals, of each test set where there are several.

function drawAccuracy(place, rows) {
  const sets = [...new Set(rows.flatMap((row) => Object.keys(row.parts)))];
  const recipes = [...new Set(rows.map((row) => row.recipe))];
  const looks = (recipe) => ({ style: recipes.indexOf(recipe), colour: recipes.indexOf(recipe) ? "var(--other)" : "var(--accent)" });
  const figures = (row, set) => (set === null ? row : row.parts[set]);
  const columns = sets.length ? sets : [null];
  const charts = columns.map((set) => {
    const shown = rows.filter((row) => figures(row, set));
    return figure({
      name: set === null ? "accuracy" : `accuracy-${set}`, title: `Top-1 accuracy on the test set${set === null ? "" : ` ${set}`}`,
      plot: accuracyChart(shown.map((row) => ({ ...row, ...figures(row, set) })), looks),
      caption: "Bars are 95% intervals: of a run, over samples like these; of a mean, over runs with other seeds.",
      rows: () => [["run", "recipe", "top-1", "low", "high", "top-5", "mean per-class accuracy"],
        ...shown.map((row) => [row, figures(row, set)]).map(([row, { top1, top5, mean_class: each }]) => [row.name, row.recipe, top1.value, top1.low, top1.high, top5, each])],
    });
  });
  place.append(sets.length > 1 ? html("div", { class: "two" }, charts) : charts[0],
    html("div", { class: "card" }, accuracyTable(rows, columns, figures, recipes.length > 1)));
}

function accuracyTable(rows, sets, figures, showRecipe) {
  const flat = rows.map((row) => {
    const values = { run: row.name, recipe: row.recipe, best: row.mean };
    sets.forEach((set, index) => {
      const { top1, top5, mean_class: each } = figures(row, set) || { top1: { value: null, low: null } };
      Object.assign(values, { [`top1-${index}`]: top1.value, [`low-${index}`]: top1.low, [`high-${index}`]: top1.high, [`top5-${index}`]: top5, [`class-${index}`]: each });
    });
    return values;
  });
  const share = (value) => percent(value);
  const columns = [{ key: "run", name: "run" }, showRecipe ? { key: "recipe", name: "recipe" } : null,
    ...sets.flatMap((_, index) => [
      { key: `top1-${index}`, name: "top-1", number: true, start: sets.length > 1, text: share },
      { key: `low-${index}`, name: "95% interval", number: true, text: (low, row) => `${percent(low)} – ${percent(row[`high-${index}`])}` },
      { key: `top5-${index}`, name: "top-5", number: true, text: share },
      { key: `class-${index}`, name: "mean per class", title: "mean per-class accuracy", number: true, text: share },
    ])].filter(Boolean);
  const groups = sets.length > 1 ? [["", showRecipe ? 2 : 1], ...sets.map((set) => [`test set ${set}`, 4])] : [];
  return sortableTable({ label: "Accuracies of all runs", columns, rows: flat, groups });
}

function accuracyChart(rows, looks) {
  const chart = html("div", { class: "plot", "data-draws": "svg" });
  // The interval of few runs' mean may be as wide as can be; the runs' own tell what to look at.
  const bounds = rows.flatMap(({ top1, mean }) => (mean ? [top1.value] : [top1.low, top1.high]));
  const margin = Math.max(0.01, 0.15 * (Math.max(...bounds) - Math.min(...bounds)));
  const low = Math.max(0, Math.min(...bounds) - margin), high = Math.min(1, Math.max(...bounds) + margin);
  responsive(chart, (width) => {
    const narrow = width < 560, line = narrow ? 46 : 34, left = narrow ? 8 : Math.min(260, 0.34 * width), right = 62;
    const base = rows.length * line + 6, height = base + 40;
    const x = (share) => left + ((share - low) / (high - low || 1)) * (width - left - right);
    chart.replaceChildren(svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Top-1 accuracy: ${rows.map(rowInWords).join("; ")}` },
      ticks(low, high, narrow ? 3 : 6).map((share) => [
        svg("line", { class: "rule", x1: x(share), x2: x(share), y1: 0, y2: base }),
        svg("text", { x: x(share), y: base + 16, "text-anchor": "middle" }, percent(share, high - low < 0.05 ? 1 : 0)),
      ]),
      svg("text", { class: "axis", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, "top-1 accuracy (%)"),
      rows.map((row, index) => accuracyRow(row, x, index * line + line / 2 + (narrow ? 7 : 0), { narrow, left, width, ...looks(row.recipe) }))));
  });
  return chart;
}

const rowInWords = ({ name, top1 }) =>
  `${name}: ${percent(top1.value)}${top1.low === null ? "" : `, from ${percent(top1.low)} to ${percent(top1.high)}`}`;

function accuracyRow(row, x, y, { narrow, left, width, colour, style }) {
  const { value, low, high } = row.top1;
  return svg("g", {}, svg("title", {}, `${rowInWords(row)}; ${row.recipe}`),
    svg("text", { class: "strong", x: narrow ? left : left - 14, y: narrow ? y - 14 : y + 4, "text-anchor": narrow ? "start" : "end", "font-weight": row.mean ? 650 : null },
      shortened(row.name, narrow ? 44 : Math.floor(left / 7.5))),
    low === null ? null : svg("line", { x1: Math.max(x(low), left), x2: Math.min(x(high), width - 62), y1: y, y2: y, stroke: colour, "stroke-width": row.mean ? 3.4 : 2, "stroke-linecap": "round", opacity: 0.55 }),
    symbol(style, x(value), y, row.mean ? 6 : 4.5, colour),
    svg("text", { class: "strong", x: width - 4, y: y + 4, "text-anchor": "end" }, percent(value)));
}
