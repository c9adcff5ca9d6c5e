// Tables that the buttons in their heads sort.

/**
 * Return a table.
 *
 * columns: [{key, name, number, title, start, text, cell}]; start begins a group, text gives a value in words, cell what a row's
 * cell holds instead. rows: objects by key; one with `best` is emphasized. foot: rows that are never
 * sorted. groups: [[name, columns]], heads over several columns. sort: [key, descending].
 */
function sortableTable({ label, columns, rows, foot = [], groups = [], sort = null, long = false }) {
  let [key, descending] = sort || [null, false];
  const body = html("tbody");
  const heads = columns.map((column) => html("th", { scope: "col", class: cellClass(column), title: column.title },
    html("button", { type: "button", on: { click: () => order(column) } }, column.name, html("span", { class: "arrow", "aria-hidden": "true" }))));
  const draw = () => {
    heads.forEach((head, index) => head.setAttribute("aria-sort", columns[index].key !== key ? "none" : descending ? "descending" : "ascending"));
    body.replaceChildren(...sortedRows(rows, key, descending).map((row) => tableRow(row, columns)));
  };
  const order = (column) => {
    // Of numbers the largest are looked for, of names the first.
    descending = key === column.key ? !descending : Boolean(column.number);
    key = column.key;
    draw();
    say(`sorted by ${column.name}, ${descending ? "descending" : "ascending"}`);
  };
  draw();
  return html("div", { class: long ? "scroll long" : "scroll", role: "region", tabindex: 0, "aria-label": label },
    html("table", { class: "sortable" },
      html("thead", {}, groups.length ? html("tr", {}, groups.map(([name, span]) => html("th", { scope: "colgroup", colspan: span, class: name ? "start" : null }, name))) : null, html("tr", {}, heads)),
      body, foot.length ? html("tfoot", {}, foot.map((row) => tableRow(row, columns))) : null));
}

const cellClass = ({ number, start }) => [number ? "n" : "", start ? "start" : ""].join(" ").trim() || null;

function tableRow(row, columns) {
  return html("tr", { class: row.best ? "best" : null }, columns.map((column, index) => {
    const value = row[column.key];
    const content = column.cell ? column.cell(row) : value === null || value === undefined || value === "" ? "–" : column.text ? column.text(value, row) : breakable(String(value));
    const kind = cellClass(column);
    return index ? html("td", { class: kind }, content) : html("th", { scope: "row", class: kind }, content);
  }));
}

/** Return a text that may be broken after its slashes. */
const breakable = (text) => text.split(/(?<=\/)(?!\/)/).flatMap((part, index) => (index ? [html("wbr"), part] : [part]));

/** Return rows in the order of a column; those without a value are the last either way. */
function sortedRows(rows, key, descending) {
  if (key === null) return rows;
  const missing = (row) => row[key] === null || row[key] === undefined || row[key] === "";
  const compare = (a, b) => (typeof a[key] === "number" ? a[key] - b[key] : String(a[key]).localeCompare(String(b[key]), undefined, { numeric: true }));
  return [...rows].sort((a, b) => missing(a) - missing(b) || (missing(a) ? 0 : (descending ? -1 : 1) * compare(a, b)));
}
