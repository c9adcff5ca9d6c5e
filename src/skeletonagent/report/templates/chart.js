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

/**
 * Return a place with a line chart that follows its width.
 *
 * series: [{name, x, y, colour, dashed, faint}]; a y of null leaves a gap. rules: [{x, text}],
 * vertical. format: of a y. xName: what x counts, whole: whether it does so from one.
 */
function lineChart({ series, rules = [], format = plain, height = 230, xName, description, range = null, cursor = null }) {
  const place = html("div", { class: "plot", "data-draws": "svg" });
  const drawn = series.filter((line) => line.y.some((value) => value !== null));
  const xs = [...new Set(drawn.flatMap((line) => line.x))].sort((a, b) => a - b);
  const ys = drawn.flatMap((line) => line.y).filter((value) => value !== null);
  const [low, high] = range || [Math.min(0, ...ys), Math.max(...ys) || 1];
  responsive(place, (width) => {
    const left = 46, right = 12, top = 10, bottom = 30;
    const x = (value) => left + ((value - xs[0]) / (xs.at(-1) - xs[0] || 1)) * (width - left - right);
    const y = (value) => height - bottom - ((value - low) / (high - low)) * (height - top - bottom);
    const line = svg("line", { class: "rule", y1: top, y2: height - bottom, style: "stroke:var(--dim)", visibility: "hidden" });
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0, "aria-label": `${description}. Arrow keys read the values.` },
      ticks(low, high, 4).map((value) => [
        svg("line", { class: "rule", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, format(value)),
      ]),
      ticks(xs[0], xs.at(-1), Math.min(8, width / 70)).filter(Number.isInteger).map((value) =>
        svg("text", { x: x(value), y: height - 11, "text-anchor": "middle" }, String(value))),
      rules.map((rule) => svg("line", { class: "round", x1: x(rule.x), x2: x(rule.x), y1: top, y2: height - bottom }, svg("title", {}, rule.text))),
      line,
      drawn.map((each) => svg("path", {
        d: tracePath(each, x, y), fill: "none", stroke: each.colour, "stroke-width": each.faint ? 1.2 : 2.2,
        "stroke-dasharray": each.dashed ? "5 4" : null, "stroke-linejoin": "round", opacity: each.faint ? 0.45 : 1,
      })));
    place.replaceChildren(picture);
    const show = (index, at) => {
      place.at = index;
      line.setAttribute("x1", x(xs[index]));
      line.setAttribute("x2", x(xs[index]));
      line.setAttribute("visibility", "visible");
      const read = [`${xName} ${xs[index]}`, ...readings(drawn, xs[index], format)].join("\n");
      if (at) tell(read, at);
      if (cursor) cursor(index);
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

function readings(series, at, format) {
  return series.map((line) => [line, line.y[line.x.indexOf(at)]])
    .filter(([line, value]) => !line.faint && value !== undefined && value !== null)
    .map(([line, value]) => `${line.name}: ${format(value)}`);
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

const nearest = (sorted, value) => sorted.reduce((best, each, index) =>
  (Math.abs(each - value) < Math.abs(sorted[best] - value) ? index : best), 0);

/** Return a legend of [{name, colour, dashed}]. */
function legend(entries) {
  return html("ul", { class: "legend" }, entries.map(({ name, colour, dashed }) => html("li", {},
    svg("svg", { width: 22, height: 8, "aria-hidden": "true" },
      svg("line", { x1: 1, x2: 21, y1: 4, y2: 4, stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dashed ? "5 4" : null })),
    name)));
}
