/**
 * Numbers as Python rounds, spreads and writes them.
 * @module
 */

/**
 * Return the nearest whole number; of two equally near ones, the even one.
 * @param {number} value
 * @returns {number}
 */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Return a number with so many decimals at most.
 * @param {number} value
 * @param {number} decimals
 * @returns {number}
 */
export function rounded(value, decimals) {
  return Number(value.toFixed(decimals));
}

/**
 * Return numbers at even distances, both ends among them.
 * @param {number} start
 * @param {number} stop
 * @param {number} count
 * @returns {Float64Array}
 */
export function linspace(start, stop, count) {
  const values = new Float64Array(count);
  const step = (stop - start) / (count - 1);
  for (let place = 0; place < count; place += 1) {
    values[place] = count > 1 ? place * step + start : start;
  }
  if (count > 1) values[count - 1] = stop;
  return values;
}

/**
 * Return the place of the largest number, the first of equal ones.
 * @param {ArrayLike<number>} values
 * @returns {number}
 */
export function argmax(values) {
  let best = 0;
  for (let place = 1; place < values.length; place += 1) {
    if (values[place] > values[best]) best = place;
  }
  return best;
}

/**
 * Return the places of numbers, the largest first; equal ones stay in order.
 * @param {ArrayLike<number>} values
 * @returns {number[]}
 */
export function largestFirst(values) {
  const order = Array.from(values, (_, place) => place);
  return order.sort((a, b) => values[b] - values[a] || a - b);
}

/**
 * Return a number with so many significant digits, as Python's format ``g`` writes it.
 * @param {number} value
 * @param {number} [digits]
 * @returns {string}
 */
export function general(value, digits = 6) {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < digits) return String(Number(value.toPrecision(digits)));
  const sign = power < 0 ? "-" : "+";
  return `${Number(mantissa)}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}

/**
 * Return the median of numbers; NaN of none.
 * @param {number[]} values
 * @returns {number}
 */
export function median(values) {
  if (!values.length) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
