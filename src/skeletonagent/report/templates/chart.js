// Line charts with a cursor that pointer and arrow keys move.

/** Return about `count` round numbers between two. */
function ticks(low, high, count) {
  const rough = (high - low || 1) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough - 1e-12);
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + 1e-9 * step; index += 1) found.push(index * step);
  return found;
}

const plain = (value) => String(Number(value.toPrecision(4)));

// Lines differ in dashes and markers, not in colour alone.
const DASHES = [null, "8 4", "2.5 3", "10 3 2.5 3", "14 5", "5 2 1.5 2"];
const LETTER = 7.3, LABEL_GAP = 13;

/**
 * Return a place with a line chart that follows its width.
 *
 * series: [{name, label, x, y, colour, style, thin, band}]; a y of null leaves a gap, style is the
 * number of dashes and marker, label is written at the line's end, band is {low, high} around it.
 * rules: [{x, text}], vertical. format: of a y. xName, yName: what the axes count, with units.
 */
function lineChart({ series, rules = [], format = plain, height = 250, xName, yName, description, range = null }) {
  const place = html("div", { class: "plot", "data-draws": "svg" });
  const drawn = series.filter((line) => line.y.some((value) => value !== null));
  const xs = [...new Set(drawn.flatMap((line) => line.x))].sort((a, b) => a - b);
  const ys = drawn.flatMap((line) => [...line.y, ...(line.band ? [...line.band.low, ...line.band.high] : [])]).filter((value) => value !== null);
  const [low, high] = range || [Math.min(0, ...ys), Math.max(...ys) || 1];
  responsive(place, (width) => {
    const labelled = width >= 440 ? drawn.filter((line) => line.label) : [];
    const left = 50, right = labelled.length ? 16 + LETTER * Math.max(...labelled.map((line) => line.label.length)) : 12, top = 26, bottom = 46;
    const x = (value) => left + ((value - xs[0]) / (xs.at(-1) - xs[0] || 1)) * (width - left - right);
    const y = (value) => height - bottom - ((value - low) / (high - low || 1)) * (height - top - bottom);
    const line = svg("line", { class: "rule", y1: top, y2: height - bottom, style: "stroke:var(--dim)", visibility: "hidden" });
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0, "aria-label": `${description}, ${yName} by ${xName}: ${drawn.filter((each) => !each.thin).map((each) => each.name).join(", ")}. Arrow keys read the values.` },
      ticks(low, high, 4).map((value) => [
        svg("line", { class: "rule", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, format(value)),
      ]),
      ticks(xs[0], xs.at(-1), Math.min(8, width / 70)).filter(Number.isInteger).map((value) =>
        svg("text", { x: x(value), y: height - bottom + 17, "text-anchor": "middle" }, String(value))),
      axisNames(xName, yName, { middle: (left + width - right) / 2, height }),
      rules.map((rule) => svg("line", { class: "round", x1: x(rule.x), x2: x(rule.x), y1: top, y2: height - bottom }, svg("title", {}, rule.text))),
      drawn.filter((each) => each.band).map((each) => svg("path", { class: "band", d: bandPath(each, x, y), fill: each.colour, opacity: 0.16 })),
      line,
      drawn.map((each) => drawnLine(each, x, y)),
      endLabels(labelled, x, y, top, height - bottom));
    place.replaceChildren(picture);
    place.point = (value) => {
      const at = x(clamp(value, xs[0], xs.at(-1)));
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.setAttribute("visibility", "visible");
    };
    const show = (index, at) => {
      place.at = index;
      place.point(xs[index]);
      const read = [`${xName} ${xs[index]}`, ...readings(drawn, xs[index], format)].join("\n");
      if (at) tell(read, at);
      return read;
    };
    picture.addEventListener("pointermove", (event) => {
      const at = xs[0] + ((event.clientX - picture.getBoundingClientRect().left - left) / (width - left - right)) * (xs.at(-1) - xs[0]);
      show(nearest(xs, at), event);
    });
    const leave = () => { line.setAttribute("visibility", "hidden"); tell(""); };
    picture.addEventListener("pointerleave", leave);
    picture.addEventListener("blur", leave);
    picture.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1, Home: -xs.length, End: xs.length }[event.key];
      if (!move) return;
      event.preventDefault();
      const box = picture.getBoundingClientRect();
      const index = clamp((place.at ?? -1) + move, 0, xs.length - 1);
      say(show(index, { clientX: box.left + x(xs[index]), clientY: box.top + top }));
    });
  });
  return place;
}

/** Return the names of both axes: that of y above it, that of x below it. */
function axisNames(xName, yName, { middle, height }) {
  return [
    svg("text", { class: "axis", x: 2, y: 12 }, yName),
    svg("text", { class: "axis", x: middle, y: height - 6, "text-anchor": "middle" }, xName),
  ];
}

function drawnLine(each, x, y) {
  const style = each.style ?? 0;
  const known = each.y.map((value, index) => index).filter((index) => each.y[index] !== null);
  const step = Math.max(1, Math.ceil(known.length / 6));
  const marked = each.thin ? [] : known.filter((_, index) => (index + style) % step === 0 || known.length < 3);
  return [
    svg("path", {
      class: each.thin ? "thin" : "main", d: tracePath(each, x, y), fill: "none", stroke: each.colour, "stroke-width": each.thin ? 1 : 2.2,
      "stroke-dasharray": DASHES[style % DASHES.length], "stroke-linejoin": "round", opacity: each.thin ? 0.6 : 1,
    }),
    marked.map((index) => symbol(style, x(each.x[index]), y(each.y[index]), 3.6, each.colour)),
  ];
}

/** Return a marker, the same for the same number as on canvases. */
function symbol(index, x, y, size, colour) {
  const shape = SHAPES[index % SHAPES.length];
  const points = (...at) => at.map(([dx, dy]) => `${(x + dx * size).toFixed(1)},${(y + dy * size).toFixed(1)}`).join(" ");
  if (shape === "circle") return svg("circle", { cx: x, cy: y, r: size, fill: colour });
  if (shape === "ring") return svg("circle", { cx: x, cy: y, r: size, fill: "var(--card)", stroke: colour, "stroke-width": 1.8 });
  if (shape === "square") return svg("polygon", { points: points([-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]), fill: colour });
  if (shape === "triangle") return svg("polygon", { points: points([0, -1.2], [1.1, 0.8], [-1.1, 0.8]), fill: colour });
  if (shape === "diamond") return svg("polygon", { points: points([0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]), fill: colour });
  return svg("path", { d: `M${points([-1, -1])}L${points([1, 1])}M${points([1, -1])}L${points([-1, 1])}`, fill: "none", stroke: colour, "stroke-width": 2 });
}

/** Return the labels at the ends of lines, moved apart where they would overlap. */
function endLabels(lines, x, y, top, bottom) {
  const ends = lines.map((line) => {
    const last = line.y.findLastIndex((value) => value !== null);
    return { line, x: x(line.x[last]), at: y(line.y[last]), y: y(line.y[last]) };
  }).sort((a, b) => a.y - b.y || (a.line.thin ? 1 : 0) - (b.line.thin ? 1 : 0));
  ends.forEach((end, index) => { if (index) end.y = Math.max(end.y, ends[index - 1].y + LABEL_GAP); });
  for (let index = ends.length - 1; index >= 0; index -= 1) {
    const below = index === ends.length - 1 ? bottom + 4 : ends[index + 1].y - LABEL_GAP;
    ends[index].y = Math.min(ends[index].y, below);
  }
  const edge = Math.max(...ends.map((end) => end.x));
  return ends.map((end) => [
    Math.abs(end.y - end.at) > 4 || end.x < edge - 6 ? svg("line", { "stroke-dasharray": "1 3", x1: end.x + 3, y1: end.at, x2: edge + 9, y2: end.y, stroke: end.line.colour, "stroke-width": 0.9, opacity: 0.7 }) : null,
    svg("text", { class: end.line.thin ? "end thin" : "end", x: edge + 11, y: Math.max(end.y, top - 8) + 4, style: `fill:${end.line.colour}` }, end.line.label),
  ]);
}

function readings(series, at, format) {
  const shown = series.filter((line) => line.x.includes(at) && line.y[line.x.indexOf(at)] !== null);
  const thin = shown.filter((line) => line.thin).length;
  return shown.filter((line) => !line.thin || thin <= 8).map((line) => {
    const index = line.x.indexOf(at);
    const range = line.band ? ` (${format(line.band.low[index])} to ${format(line.band.high[index])})` : "";
    return `${line.thin ? "   " : ""}${line.name}: ${format(line.y[index])}${range}`;
  });
}

function tracePath(line, x, y) {
  let pen = "M";
  return line.y.map((value, index) => {
    if (value === null) { pen = "M"; return ""; }
    const part = `${pen}${x(line.x[index]).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
    return part;
  }).join("");
}

function bandPath({ x: at, band }, x, y) {
  const known = at.map((_, index) => index).filter((index) => band.low[index] !== null);
  if (!known.length) return "";
  const edge = (values, indices) => indices.map((index) => `${x(at[index]).toFixed(1)} ${y(values[index]).toFixed(1)}`);
  return `M${[...edge(band.high, known), ...edge(band.low, [...known].reverse())].join("L")}Z`;
}

const nearest = (sorted, value) => sorted.reduce((best, each, index) =>
  (Math.abs(each - value) < Math.abs(sorted[best] - value) ? index : best), 0);

/** Return a legend of [{name, colour, style, thin}]. */
function legend(entries) {
  return html("ul", { class: "legend" }, entries.map(({ name, colour, style = 0, thin = false }) => html("li", {},
    svg("svg", { width: 34, height: 12, "aria-hidden": "true" },
      svg("line", { x1: 1, x2: 33, y1: 6, y2: 6, stroke: colour, "stroke-width": thin ? 1 : 2.2, "stroke-dasharray": DASHES[style % DASHES.length] }),
      thin ? null : symbol(style, 17, 6, 3.6, colour)),
    name)));
}
