// How the training went, epoch by epoch: of several runs the mean, their range and each by itself.

const SHARES = (value) => `${Math.round(100 * value)}%`;
const MOST_RECIPES = 4;

function drawCurves(place, runs) {
  const charts = html("div", { class: "two" });
  const first = runs.find((run) => run.run === report.main) || runs[0];
  const recipes = [first.recipe, ...new Set(runs.map((run) => run.recipe).filter((recipe) => recipe !== first.recipe))]
    .map((recipe) => ({ name: recipe, runs: runs.filter((run) => run.recipe === recipe) }));
  const [main, ...others] = recipes;
  const compared = others.slice(0, MOST_RECIPES - 1);
  const rules = first.epoch
    .filter((epoch, index) => index && first.round[index] !== first.round[index - 1])
    .map((epoch) => ({ x: epoch + 1, text: `round ${first.round[first.epoch.indexOf(epoch)]} of the agents` }));
  const several = main.runs.length > 1
    ? `Mean of ${main.runs.length} runs, band: their range, thin: each of them.` : `${main.runs[0].run}.`;
  const caption = (text) => [text, rules.length ? "Dotted lines: rounds of the agents." : ""].filter(Boolean).join(" ");

  const add = (name, title, yName, lines, options = {}) => {
    const { each = false, both = false, ...chart } = options;
    const own = lines.flatMap(([key, text, colour], index) => [
      ...(each && main.runs.length > 1 ? main.runs.map((run) => ({ ...column(run, key), name: `${text}, ${runLabel(run, main)}`, label: index ? "" : runLabel(run, main), colour, style: index, thin: true })) : []),
      { ...meanColumn(main.runs, key), name: text, label: lines.length > 1 ? text : "mean", colour, style: index },
    ]);
    const rival = both ? compared.map((recipe, index) => ({
      ...meanColumn(recipe.runs, lines[0][0]), name: `${recipe.name}: ${lines[0][1]}`, label: shortened(recipe.name, 18), colour: "var(--other)", style: lines.length + index,
    })) : [];
    const series = [...own, ...rival].filter((line) => line.y.some((value) => value !== null));
    if (series.length === 1) series[0].label = "";
    const drawn = series.filter((line) => !line.thin);
    const box = figure({
      name, title, caption: options.caption ?? caption(several), plot: lineChart({ series, rules, xName: "epoch", yName, description: title, ...chart }),
      rows: () => [["run", "epoch", ...lines.map(([, text]) => text)],
        ...runs.flatMap((run) => run.epoch.map((epoch, index) => [run.run, epoch + 1, ...lines.map(([key]) => run[key][index])]))],
    });
    if (drawn.length > 1) box.append(legend(drawn));
    charts.append(box);
  };
  add("loss", "Loss", "loss", [
    ["loss", "total", "var(--ink)"], ["cls", "classes", "var(--c1)"],
    ["con", "joint constraint", "var(--c2)"], ["align", "alignment", "var(--c3)"],
  ], { both: true });
  add("training-accuracy", "Accuracy while training", "top-1 accuracy (%)", [
    ["train_top1", "training clips", "var(--c1)"], ["validation_top1", "validation clips", "var(--c2)"],
  ], { format: SHARES, range: [0, 1], each: true, both: true });
  add("learning-rate", "Learning rate", "learning rate", [["learning_rate", "learning rate", "var(--c1)"]], { height: 190, caption: "" });
  add("seconds", "Time of an epoch", "seconds", [["seconds", "seconds", "var(--c1)"]], { height: 190, each: true, caption: "" });
  place.append(charts);
}

const column = (run, key) => ({ x: run.epoch.map((epoch) => epoch + 1), y: run[key] });

/** Return what tells a run from the others of its recipe. */
function runLabel(run, { runs }) {
  return runs.filter(({ seed }) => seed === run.seed).length > 1 ? run.run : `seed ${run.seed}`;
}

/** Return the mean of runs over the epochs that all of them have, with their range. */
function meanColumn(runs, key) {
  if (runs.length === 1) return column(runs[0], key);
  const length = Math.min(...runs.map((run) => run.epoch.length));
  const values = Array.from({ length }, (_, index) => runs.map((run) => run[key][index]));
  const over = (all, reduce) => (all.includes(null) ? null : reduce(all));
  return {
    x: runs[0].epoch.slice(0, length).map((epoch) => epoch + 1),
    y: values.map((all) => over(all, (known) => known.reduce((sum, value) => sum + value, 0) / known.length)),
    band: { low: values.map((all) => over(all, (known) => Math.min(...known))), high: values.map((all) => over(all, (known) => Math.max(...known))) },
  };
}
