/**
 * Regions of interest: turned squares of a picture that a pose model looks at.
 * @module
 */

/**
 * Picture in RGBA.
 * @typedef {{width: number, height: number, data: Uint8ClampedArray}} Picture
 */

/**
 * Square of a picture, in pixels.
 * @typedef {object} Region
 * @property {number} x Column of its centre.
 * @property {number} y Row of its centre.
 * @property {number} size Length of a side.
 * @property {number} angle Clockwise turn in radians.
 */

/**
 * Return whether a region is finite and holds at least a pixel.
 * @param {Region} region
 * @returns {boolean}
 */
export function isValid({ x, y, size, angle }) {
  return [x, y, size, angle].every(Number.isFinite) && size >= 1;
}

/**
 * Return a place in pixels of the picture, from shares of the square's sides.
 * @param {Region} region
 * @param {number} across
 * @param {number} down
 * @returns {[number, number]}
 */
export function toImage({ x, y, size, angle }, across, down) {
  const [dx, dy] = [(across - 0.5) * size, (down - 0.5) * size];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [cos * dx - sin * dy + x, sin * dx + cos * dy + y];
}

/**
 * Return the square of an upright person.
 * @param {ArrayLike<number>} middle Middle of the hips in pixels.
 * @param {ArrayLike<number>} rim Point above the head, on the circle that holds the body.
 * @param {number} scale Side of the square over the circle.
 * @returns {Region}
 */
export function personRegion(middle, rim, scale) {
  const [dx, dy] = [rim[0] - middle[0], rim[1] - middle[1]];
  const turn = (1.5 * Math.PI - Math.atan2(-dy, dx)) % (2 * Math.PI);
  const angle = (turn < 0 ? turn + 2 * Math.PI : turn) - Math.PI;
  return { x: middle[0], y: middle[1], size: 2 * scale * Math.hypot(dx, dy), angle };
}

/**
 * Return a region as an upright square picture, interpolated linearly, N, H, W, C.
 * @param {Picture} image
 * @param {Region} region May reach beyond the picture.
 * @param {number} side Side of the square picture in pixels.
 * @param {boolean} repeated Whether the last pixels are repeated beyond the picture; otherwise black.
 * @param {{scale: number, shift: number}} range How values from 0 to 255 are changed.
 * @returns {Float32Array}
 */
export function crop(image, region, side, repeated, { scale, shift }) {
  const values = new Float32Array(side * side * 3).fill(shift);
  if (isOutside(image, region)) return values;
  const { width, height, data } = image;
  const step = region.size / side;
  const [cos, sin] = [Math.cos(region.angle) * step, Math.sin(region.angle) * step];
  const [left, top] = toImage(region, 0, 0);
  let to = 0;
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const px = left + cos * column - sin * row;
      const py = top + sin * column + cos * row;
      const x = Math.floor(px), y = Math.floor(py), dx = px - x, dy = py - y;
      if (x >= 0 && y >= 0 && x + 1 < width && y + 1 < height) {
        const upper = 4 * (y * width + x), lower = upper + 4 * width;
        for (let channel = 0; channel < 3; channel += 1) {
          const a = data[upper + channel], c = data[lower + channel];
          const high = a + (data[upper + channel + 4] - a) * dx;
          const low = c + (data[lower + channel + 4] - c) * dx;
          values[to + channel] = Math.floor(high + (low - high) * dy) * scale + shift;
        }
      } else {
        for (let channel = 0; channel < 3; channel += 1) {
          const at = (across, down) => pixel(image, x + across, y + down, channel, repeated);
          const high = at(0, 0) + (at(1, 0) - at(0, 0)) * dx;
          const low = at(0, 1) + (at(1, 1) - at(0, 1)) * dx;
          values[to + channel] = Math.floor(high + (low - high) * dy) * scale + shift;
        }
      }
      to += 3;
    }
  }
  return values;
}

/** Return a value of a picture, also beyond its rim. */
function pixel({ width, height, data }, x, y, channel, repeated) {
  if (!repeated && (x < 0 || y < 0 || x >= width || y >= height)) return 0;
  const [column, row] = [Math.min(Math.max(x, 0), width - 1), Math.min(Math.max(y, 0), height - 1)];
  return data[4 * (row * width + column) + channel];
}

/** Return whether a region shows nothing of a picture. */
function isOutside({ width, height }, region) {
  const corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) => toImage(region, x, y));
  const [columns, rows] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const isBefore = (values) => Math.ceil(Math.max(...values)) + 3 <= 0;
  const isAfter = (values, length) => Math.floor(Math.min(...values)) - 2 >= length;
  return isBefore(columns) || isBefore(rows) || isAfter(columns, width) || isAfter(rows, height);
}
