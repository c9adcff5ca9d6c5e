// Figures with their caption, and buttons that save them as a picture or a table.

/** Return a figure around a plot; `rows` gives the table behind it, head first. */
function figure({ name, title, caption = "", plot, rows, bare = false, picture = true }) {
  const buttons = [
    !picture ? null : html("button", { type: "button", "aria-label": `Save ${title} as a picture`, on: { click: () => savePicture(name, plot) } },
      plot.dataset.draws === "canvas" ? "PNG" : "SVG"),
    html("button", { type: "button", "aria-label": `Save ${title} as a table`, on: { click: () => saveTable(name, rows()) } }, "CSV"),
  ];
  return html("figure", { class: bare ? "bare" : null },
    html("figcaption", {}, html("h3", {}, title), html("span", { class: "saves" }, buttons), caption ? html("p", {}, caption) : null),
    plot);
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = html("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function savePicture(name, plot) {
  const drawn = plot.querySelector("canvas, svg");
  if (drawn instanceof HTMLCanvasElement) {
    const framed = html("canvas", { width: drawn.width, height: drawn.height });
    const context = framed.getContext("2d");
    context.fillStyle = css("--card");
    context.fillRect(0, 0, framed.width, framed.height);
    context.drawImage(drawn, 0, 0);
    framed.toBlob((blob) => download(blob, `${name}.png`));
  } else if (drawn) download(new Blob([standalone(drawn)], { type: "image/svg+xml" }), `${name}.svg`);
}

const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor"];

/** Return an SVG that needs no style sheet. */
function standalone(drawn) {
  const copy = drawn.cloneNode(true);
  const originals = drawn.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((node, index) => {
    const style = getComputedStyle(originals[index]);
    for (const property of KEPT) node.setAttribute(property, style.getPropertyValue(property));
  });
  const box = drawn.getBoundingClientRect();
  const whole = { xmlns: "http://www.w3.org/2000/svg", width: box.width, height: box.height, style: `background:${css("--card")}` };
  fill(copy, whole, []);
  return new XMLSerializer().serializeToString(copy);
}

function saveTable(name, rows) {
  const text = rows.map((row) => row.map(cell).join(",")).join("\r\n");
  download(new Blob([`\ufeff${text}\r\n`], { type: "text/csv" }), `${name}.csv`);
}

/** Return a cell of a table; a text that a spreadsheet would compute is marked as text. */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
