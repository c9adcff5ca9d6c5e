/**
 * Decompositions of small matrices, row by row in flat arrays.
 * @module
 */

const SWEEPS = 60;

/**
 * Return the singular value decomposition of a matrix of three rows and columns, largest first.
 *
 * One-sided Jacobi rotations make the columns of the matrix square to each other.
 * @param {ArrayLike<number>} matrix Nine numbers.
 * @returns {{left: number[][], sizes: number[], right: number[][]}} Columns of U, singular values
 *     and columns of V; those of U of no size are zero.
 */
export function singularValues(matrix) {
  const columns = [0, 1, 2].map((c) => [matrix[c], matrix[3 + c], matrix[6 + c]]);
  const right = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    let turned = false;
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ]) {
      const [a, b, c] = [
        dot(columns[p], columns[p]),
        dot(columns[q], columns[q]),
        dot(columns[p], columns[q]),
      ];
      if (Math.abs(c) <= 1e-16 * Math.sqrt(a * b)) continue;
      turned = true;
      const zeta = (b - a) / (2 * c);
      const tangent = Math.sign(zeta || 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const cosine = 1 / Math.sqrt(1 + tangent * tangent);
      for (const vectors of [columns, right]) {
        const [x, y] = [vectors[p], vectors[q]];
        vectors[p] = x.map((value, k) => cosine * (value - tangent * y[k]));
        vectors[q] = y.map((value, k) => cosine * (value + tangent * x[k]));
      }
    }
    if (!turned) break;
  }
  const lengths = columns.map((column) => Math.sqrt(dot(column, column)));
  const order = [0, 1, 2].sort((a, b) => lengths[b] - lengths[a] || a - b);
  const scaled = (column, length) => column.map((value) => (length > 0 ? value / length : 0));
  return {
    left: order.map((place) => scaled(columns[place], lengths[place])),
    sizes: order.map((place) => lengths[place]),
    right: order.map((place) => right[place]),
  };
}

/**
 * Return the inverse of a symmetric positive definite matrix, by Cholesky's decomposition.
 * @param {Float64Array} matrix N x N numbers.
 * @param {number} n
 * @returns {Float64Array}
 */
export function inverseOfSymmetric(matrix, n) {
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let rest = matrix[i * n + j];
      for (let k = 0; k < j; k += 1) rest -= lower[i * n + k] * lower[j * n + k];
      lower[i * n + j] = i === j ? Math.sqrt(rest) : rest / lower[j * n + j];
    }
  }
  const inverse = new Float64Array(n * n);
  const column = new Float64Array(n);
  for (let c = 0; c < n; c += 1) {
    for (let i = 0; i < n; i += 1) {
      let rest = i === c ? 1 : 0;
      for (let k = 0; k < i; k += 1) rest -= lower[i * n + k] * column[k];
      column[i] = rest / lower[i * n + i];
    }
    for (let i = n - 1; i >= 0; i -= 1) {
      let rest = column[i];
      for (let k = i + 1; k < n; k += 1) rest -= lower[k * n + i] * column[k];
      column[i] = rest / lower[i * n + i];
      inverse[i * n + c] = column[i];
    }
  }
  return inverse;
}
