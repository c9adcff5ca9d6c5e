// Accuracies of all runs with their intervals.

function drawAccuracy(place, rows) {
  const chart = html("div", { class: "plot", "data-draws": "svg" });
  // The interval of few runs' mean may be as wide as can be; the runs' own tell what to look at.
  const bounds = rows.flatMap(({ top1, mean }) => (mean ? [top1.value] : [top1.low, top1.high]));
  const margin = Math.max(0.01, 0.15 * (Math.max(...bounds) - Math.min(...bounds)));
  const low = Math.max(0, Math.min(...bounds) - margin), high = Math.min(1, Math.max(...bounds) + margin);
  const recipes = [...new Set(rows.map((row) => row.recipe))];
  responsive(chart, (width) => {
    const narrow = width < 560, line = narrow ? 46 : 34, left = narrow ? 8 : Math.min(260, 0.34 * width), right = 62;
    const height = rows.length * line + 30;
    const x = (share) => left + ((share - low) / (high - low || 1)) * (width - left - right);
    chart.replaceChildren(svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": rows.map(rowInWords).join("; ") },
      ticks(low, high, narrow ? 3 : 6).map((share) => [
        svg("line", { class: "rule", x1: x(share), x2: x(share), y1: 0, y2: height - 24 }),
        svg("text", { x: x(share), y: height - 8, "text-anchor": "middle" }, percent(share, high - low < 0.05 ? 1 : 0)),
      ]),
      rows.map((row, index) => accuracyRow(row, x, index * line + line / 2 + (narrow ? 7 : 0), { narrow, left, width, colour: recipes.indexOf(row.recipe) ? "var(--other)" : "var(--accent)" }))));
  });
  const showRecipe = recipes.length > 1;
  const table = html("div", { class: "scroll" }, html("table", {},
    html("thead", {}, html("tr", {}, ["run", showRecipe ? "recipe" : null, "top-1", "95% interval", "top-5", "mean per-class accuracy"].filter(Boolean)
      .map((name, index) => html("th", { scope: "col", class: index > (showRecipe ? 1 : 0) ? "n" : null }, name)))),
    html("tbody", {}, rows.map((row) => html("tr", {},
      html("td", {}, row.mean ? html("strong", {}, row.name) : row.name,
        Object.entries(row.parts).map(([part, share]) => html("div", { class: "dim small" }, `${part}: ${percent(share)}`))),
      showRecipe ? html("td", { class: "dim" }, row.recipe) : null,
      [percent(row.top1.value), row.top1.low === null ? "–" : `${percent(row.top1.low)} – ${percent(row.top1.high)}`, percent(row.top5), percent(row.mean_class)]
        .map((text) => html("td", { class: "n" }, text)))))));
  place.append(figure({
    name: "accuracy", title: "Top-1 accuracy on the test set", plot: chart,
    caption: "Bars are 95% intervals: of a run, over samples like these; of a mean, over runs with other seeds.",
    rows: () => [["run", "recipe", "top-1", "low", "high", "top-5", "mean per-class accuracy"],
      ...rows.map((row) => [row.name, row.recipe, row.top1.value, row.top1.low, row.top1.high, row.top5, row.mean_class])],
  }), html("div", { class: "card" }, table));
}

const rowInWords = ({ name, top1 }) =>
  `${name}: ${percent(top1.value)}${top1.low === null ? "" : `, from ${percent(top1.low)} to ${percent(top1.high)}`}`;

function accuracyRow(row, x, y, { narrow, left, width, colour }) {
  const { value, low, high } = row.top1;
  const weight = row.mean ? 3.4 : 2;
  return svg("g", {}, svg("title", {}, rowInWords(row)),
    svg("text", { class: "strong", x: narrow ? left : left - 14, y: narrow ? y - 14 : y + 4, "text-anchor": narrow ? "start" : "end", "font-weight": row.mean ? 650 : null },
      shortened(row.name, narrow ? 44 : Math.floor(left / 7.5))),
    low === null ? null : svg("line", { x1: Math.max(x(low), left), x2: Math.min(x(high), width - 62), y1: y, y2: y, stroke: colour, "stroke-width": weight, "stroke-linecap": "round", opacity: 0.55 }),
    svg("circle", { cx: x(value), cy: y, r: row.mean ? 6 : 4.5, fill: colour }),
    svg("text", { class: "strong", x: width - 4, y: y + 4, "text-anchor": "end" }, percent(value)));
}
