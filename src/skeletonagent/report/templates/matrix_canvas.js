// The canvas of the confusion matrix: cells, names that stay in view, the chosen cell.

const NARROW = 520, MOST_NAMED = 120, SMALLEST_NAMED = 15, WIDEST_MATRIX = 760;
const LINE_HEIGHT = 11.5;

/**
 * Paint the matrix and return where it lies. Names of up to MOST_NAMED classes are always readable:
 * where the place is too narrow for all, the canvas is wider than it and moves sideways under them.
 */
function paintMatrix(canvas, width, state) {
  const { matrix, labels, share, diagonal, at } = state;
  const named = labels.length <= MOST_NAMED;
  const left = named ? Math.min(180, (width < NARROW ? 0.42 : 0.27) * width) : 18, top = named ? left : 18;
  const room = (Math.min(width, WIDEST_MATRIX) - left - 2) / labels.length;
  const cell = Math.min(named ? Math.max(room, SMALLEST_NAMED) : room, 64), size = cell * labels.length;
  const context = sharp(canvas, left + size + 2, top + size + 2);
  Object.assign(canvas.style, { width: `${left + size + 2}px`, height: `${top + size + 2}px` });
  const view = { cell, left, top, named, size, shift: canvas.parentElement.scrollLeft };
  paintCells(context, view, state, new Map(labels.map((label, index) => [label, index])), { matrix, share, diagonal });
  if (at && labels.includes(at[0]) && labels.includes(at[1])) {
    const [row, column] = at.map((label) => labels.indexOf(label));
    context.strokeStyle = css("--salient");
    context.lineWidth = 2;
    context.strokeRect(left + column * cell - 1, top + row * cell - 1, Math.max(cell, 4) + 1, Math.max(cell, 4) + 1);
  }
  if (named) labelMatrix(context, labels, view, at);
  else nameAxes(context, view);
  return view;
}

function paintCells(context, { cell, left, top, size }, state, place, { matrix, share, diagonal }) {
  const seen = nonzero(matrix).filter(([m, n]) => place.has(m) && place.has(n) && (diagonal || m !== n));
  const most = seen.reduce((highest, [, , count]) => Math.max(highest, count), 1);
  const side = Math.max(cell - (cell > 6 ? 1 : 0), 1);
  context.fillStyle = rgb(sequential(0));
  context.fillRect(left, top, size, size);
  context.textAlign = "center";
  sized(context, Math.min(12, 0.52 * cell));
  seen.forEach(([m, n, count]) => {
    const row = place.get(m), column = place.get(n);
    const value = share ? count / matrix.totals[m] : count / most;
    const colour = sequential(0.12 + 0.88 * value);
    context.fillStyle = rgb(colour);
    context.fillRect(left + column * cell, top + row * cell, side, side);
    if (cell < 17) return;
    context.fillStyle = inkOn(colour);
    context.fillText(share ? Math.round(100 * value) : count, left + (column + 0.5) * cell, top + (row + 0.5) * cell + 0.18 * Math.min(22, cell));
  });
}

const sized = (context, size) => { context.font = context.font.replace(/^\d+(\.\d+)?px/, `${size.toFixed(1)}px`); };

/** Return a text, cut in its middle so that it fits: names often differ in their last word. */
function fitted(context, text, room) {
  const letters = [...text];
  let kept = letters.length, shown = text;
  while (kept > 1 && context.measureText(shown).width > room) {
    kept -= 1;
    const head = Math.ceil(0.55 * kept);
    shown = `${letters.slice(0, head).join("").trimEnd()}…${letters.slice(letters.length - (kept - head)).join("").trimStart()}`;
  }
  return shown;
}

/** Write a text in up to `most` lines around a place; only what does not fit into them is cut. */
function writeLines(context, text, room, most, [x, y]) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (!lines.at(-1) || lines.length === most || context.measureText(longer).width <= room) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  lines.forEach((line, index) => context.fillText(fitted(context, line, room), x, y + 4 + (index - (lines.length - 1) / 2) * LINE_HEIGHT));
}

function labelMatrix(context, labels, { left, top, cell, shift, size }, at) {
  const most = Math.max(1, Math.floor(cell / LINE_HEIGHT));
  sized(context, most > 1 ? 10.5 : 11.5);
  labels.forEach((label, index) => {
    context.save();
    context.translate(left + (index + 0.5) * cell, top - 7);
    context.rotate(-Math.PI / 2);
    context.fillStyle = css(at && at[1] === label ? "--ink" : "--dim");
    context.textAlign = "left";
    writeLines(context, report.classes[label], top - 10, most, [0, 0]);
    context.restore();
  });
  // The names of the rows stay where they are while the cells move under them.
  context.fillStyle = css("--card");
  context.fillRect(shift, 0, left - 2, top + size + 2);
  context.textAlign = "right";
  labels.forEach((label, index) => {
    context.fillStyle = css(at && at[0] === label ? "--ink" : "--dim");
    writeLines(context, report.classes[label], left - 10, most, [shift + left - 8, top + (index + 0.5) * cell]);
  });
  context.fillStyle = css("--ink");
  context.fillText("predicted →", shift + left - 8, top - 26);
  context.fillText("true ↓", shift + left - 8, top - 9);
}

function nameAxes(context, { left, top, size }) {
  sized(context, 11.5);
  context.fillStyle = css("--ink");
  context.textAlign = "left";
  context.fillText("predicted class →", left, top - 6);
  context.save();
  context.translate(12, top + size);
  context.rotate(-Math.PI / 2);
  context.fillText("true class (down)", 0, 0);
  context.restore();
}
