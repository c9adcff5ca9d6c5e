// How the training went, epoch by epoch.

const SHARES = (value) => `${Math.round(100 * value)}%`;

function drawCurves(place, runs) {
  const charts = html("div", { class: "two" });
  const main = runs.find((run) => run.run === report.main) || runs[0];
  const rules = main.epoch
    .filter((epoch, index) => index && main.round[index] !== main.round[index - 1])
    .map((epoch) => ({ x: epoch + 1, text: `round ${main.round[main.epoch.indexOf(epoch)]} of the agents` }));
  const rounds = rules.length ? " Dotted lines: rounds of the agents." : "";
  const column = (run, key) => ({ x: run.epoch.map((epoch) => epoch + 1), y: run[key] });
  const others = (keys) => runs.filter((run) => run !== main).flatMap((run) => keys.map((key) => (
    { ...column(run, key), name: `${run.run} ${key}`, colour: "var(--other)", faint: true })));
  const add = (name, title, caption, lines, options = {}) => {
    const series = lines.map(([key, text, colour, dashed]) => ({ ...column(main, key), name: text, colour, dashed }))
      .filter((line) => line.y.some((value) => value !== null));
    const plot = lineChart({ series: [...others(lines.map(([key]) => key).filter((key) => key !== "con" && key !== "align")), ...series], rules, xName: "epoch", description: title, ...options });
    const box = figure({
      name, title, caption, plot,
      rows: () => [["run", "epoch", ...lines.map(([, text]) => text)],
        ...runs.flatMap((run) => run.epoch.map((epoch, index) => [run.run, epoch + 1, ...lines.map(([key]) => run[key][index])]))],
    });
    if (series.length > 1) box.append(legend(series));
    charts.append(box);
  };
  add("loss", "Loss", `Total and parts of ${main.run}.${rounds}`, [
    ["loss", "total", "var(--ink)"], ["cls", "classes", "var(--c1)"],
    ["con", "joint constraint", "var(--c2)", true], ["align", "alignment with sentences", "var(--c3)", true],
  ]);
  add("training-accuracy", "Accuracy while training", `${runs.length > 1 ? "Pale: the other runs." : ""}${rounds}`.trim(), [
    ["train_top1", "training clips", "var(--c1)"], ["validation_top1", "validation clips", "var(--c2)"],
  ], { format: SHARES, range: [0, 1] });
  add("learning-rate", "Learning rate", "", [["learning_rate", "learning rate", "var(--c1)"]], { height: 170 });
  add("seconds", "Seconds an epoch", "", [["seconds", "seconds", "var(--c1)"]], { height: 170 });
  place.append(charts);
}
