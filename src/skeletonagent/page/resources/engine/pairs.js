/**
 * Pairs of persons who may act together: each person with the one nearest to it.
 * @module
 */

/**
 * Return each person with the nearest other person of a frame, by their names.
 * @param {Map<string, Float32Array>} bodies V, C of each; NaN where a joint was not seen.
 * @param {number} channels
 * @param {number} coordinates
 * @returns {string[][]}
 */
export function nearestPairs(bodies, channels, coordinates) {
  const names = [...bodies.keys()].sort();
  if (names.length < 2) return [];
  const places = names.map((name) => middle(bodies.get(name), channels, coordinates));
  const found = new Map();
  places.forEach((place, one) => {
    let nearest = -1;
    let least = Infinity;
    places.forEach((other, two) => {
      const away = Math.sqrt(place.reduce((sum, value, k) => sum + (value - other[k]) ** 2, 0));
      if (two === one || !(away < least)) return;
      [nearest, least] = [two, away];
    });
    if (nearest < 0) nearest = one === 0 ? 1 : 0;
    const pair = [names[Math.min(one, nearest)], names[Math.max(one, nearest)]];
    found.set(JSON.stringify(pair), pair);
  });
  return [...found.values()];
}

/** Return the mean of the joints that are seen. */
function middle(body, channels, coordinates) {
  const sums = new Float64Array(coordinates);
  let count = 0;
  for (let from = 0; from < body.length; from += channels) {
    const joint = body.subarray(from, from + coordinates);
    if (joint.some(Number.isNaN)) continue;
    joint.forEach((value, axis) => (sums[axis] += value));
    count += 1;
  }
  return sums.map((value) => value / Math.max(count, 1));
}
