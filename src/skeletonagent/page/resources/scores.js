// Probabilities of the classes over time, a chart for each person.

import { html, percent, svg } from "./dom.js";
import { personName } from "./labels.js";

const MOST_CLASSES = 8;
const LEAST_SHOWN = 0.1;
/** Height of the drawing in its own units; it is stretched to the place that it has. */
const HEIGHT = 100;

/**
 * Return the windows of a person by their start.
 * @param {import("./recognizer.js").TimelineWindow[]} timeline
 */
export const windowsOf = (timeline, person) => timeline.filter((window) => window.person === person).sort((a, b) => a.start_frame - b.start_frame);

/** Return the probabilities of a person at a frame, the largest first; [] where nothing was looked at. */
export function scoresAt(windows, frame) {
  const there = windows.filter((window) => window.start_frame <= frame && frame < window.end_frame);
  if (!there.length) return [];
  const middle = (window) => Math.abs((window.start_frame + window.end_frame) / 2 - frame);
  const nearest = there.reduce((best, window) => (middle(window) < middle(best) ? window : best));
  return Object.entries(nearest.scores).map(([label, score]) => ({ label, score })).sort((a, b) => b.score - a.score);
}

/** Return the classes that are worth a line: those that were recognized, then the most probable ones. */
export function shownClasses(windows, labels) {
  const best = new Map();
  for (const { scores } of windows) {
    const two = Object.entries(scores).sort((a, b) => b[1] - a[1]).slice(0, 2);
    for (const [label, score] of two) if (score >= LEAST_SHOWN) best.set(label, Math.max(best.get(label) ?? 0, score));
  }
  const rank = ([label, score]) => score + (labels.has(label) ? 1 : 0);
  return [...best].sort((a, b) => rank(b) - rank(a)).slice(0, MOST_CLASSES).map(([label]) => label);
}

/**
 * Return a chart, as wide as all frames; null where no window was looked at.
 * @param {{windows: import("./recognizer.js").TimelineWindow[], frames: number, threshold: number|null, looks: import("./theme.js").Looks, person: string, labels: Set<string>}} of  `labels` are those of the person's actions.
 */
export function scoreChart({ windows, frames, threshold, looks, person, labels }) {
  if (!windows.length) return null;
  const classes = shownClasses(windows, labels), best = new Set(windows.map(bestClass));
  const runs = unbroken(windows);
  const lines = classes.flatMap((label) => {
    const { variable, dashes } = looks.ofClass(label);
    return runs.map((run) => {
      const points = pointsOf(run, label);
      const line = points.map(([x, y], index) => `${index ? "L" : "M"}${x} ${(HEIGHT * (1 - y)).toFixed(1)}`).join("");
      return [
        best.has(label) && svg("path", { class: "area", d: `${line}L${points.at(-1)[0]} ${HEIGHT}L${points[0][0]} ${HEIGHT}Z`, fill: `var(${variable})` }),
        svg("path", { class: "line", d: line, stroke: `var(${variable})`, "stroke-dasharray": dashes || null }),
      ];
    });
  });
  const bar = threshold ? svg("path", { class: "threshold", d: `M0 ${HEIGHT * (1 - threshold)}H${frames}` }) : null;
  const drawing = svg("svg", {
    class: "scores", viewBox: `0 0 ${Math.max(1, frames)} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": described(windows, classes, person),
  }, bar, lines);
  const mark = threshold && html("span", { class: "mark", "aria-hidden": "true", style: { top: `${100 * (1 - threshold)}%` } }, percent(threshold));
  return html("div", { class: "chart" }, drawing, mark);
}

const bestClass = ({ scores }) => Object.entries(scores).reduce((best, other) => (other[1] > best[1] ? other : best), ["", 0])[0];

function described(windows, classes, person) {
  const best = (label) => Math.max(...windows.map(({ scores }) => scores[label] ?? 0));
  return `Probabilities over time of ${personName(person)}: ${classes.map((label) => `${label} up to ${percent(best(label))}`).join(", ")}`;
}

/** Return windows that follow one another without a gap, together. */
function unbroken(windows) {
  const runs = [];
  for (const window of windows) {
    const run = runs.at(-1);
    if (run && window.start_frame <= run.at(-1).end_frame) run.push(window);
    else runs.push([window]);
  }
  return runs;
}

function pointsOf(run, label) {
  const share = (window) => window.scores[label] ?? 0;
  const inside = run.map((window) => [(window.start_frame + window.end_frame) / 2, share(window)]);
  return [[run[0].start_frame, share(run[0])], ...inside, [run.at(-1).end_frame, share(run.at(-1))]];
}
