/**
 * Assignment of rows to columns at the least cost, such as of bodies to earlier ones.
 * @module
 */

/**
 * Return the column of each row, -1 where there is none, so that the costs sum up to least.
 *
 * Each row in turn takes the cheapest way through columns that others give up (Hungarian method
 * with potentials).
 * @param {number[][]} cost
 * @param {number} columns
 * @returns {number[]}
 */
export function leastCostColumns(cost, columns) {
  const rows = cost.length;
  if (rows > columns) {
    const turned = Array.from({ length: columns }, (_, column) => cost.map((row) => row[column]));
    const found = Array(rows).fill(-1);
    leastCostColumns(turned, rows).forEach((row, column) => { found[row] = column; });
    return found;
  }
  const [above, beside] = [new Float64Array(rows + 1), new Float64Array(columns + 1)];
  const owner = new Int32Array(columns + 1); // row of each column, counted from 1; 0 if it is free
  for (let row = 1; row <= rows; row += 1) {
    const way = new Int32Array(columns + 1);
    const least = new Float64Array(columns + 1).fill(Infinity);
    const used = new Uint8Array(columns + 1);
    let column = 0;
    owner[0] = row;
    do {
      used[column] = 1;
      let [step, next] = [Infinity, 0];
      for (let other = 1; other <= columns; other += 1) {
        if (used[other]) continue;
        const price = cost[owner[column] - 1][other - 1] - above[owner[column]] - beside[other];
        if (price < least[other]) [least[other], way[other]] = [price, column];
        if (least[other] < step) [step, next] = [least[other], other];
      }
      for (let other = 0; other <= columns; other += 1) {
        if (used[other]) {
          above[owner[other]] += step;
          beside[other] -= step;
        } else least[other] -= step;
      }
      column = next;
    } while (owner[column]);
    for (; column; column = way[column]) owner[column] = owner[way[column]];
  }
  const found = Array(rows).fill(-1);
  owner.forEach((row, column) => {
    if (column && row) found[row - 1] = column - 1;
  });
  return found;
}
