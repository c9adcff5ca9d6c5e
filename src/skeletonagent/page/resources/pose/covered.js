/**
 * Persons whom others cover in part: looked for where those others are painted over.
 * @module
 */

/** @typedef {import("./regions.js").Region} Region */

const PAINT = "rgb(128 128 128)";

/**
 * Return whether a person may be looked for behind others.
 * @param {{first: number, uncovered: number}} span Moments of the first picture, and of the last
 *     one in which the person was found without painting over others.
 * @param {number} time
 * @param {any} facts Constants of covered persons.
 * @returns {boolean}
 */
export function isSought({ first, uncovered }, time, { least_known: least, longest_covered: longest }) {
  return uncovered - first >= least && time - uncovered <= longest;
}

/**
 * Return whether two persons are so near that one may cover the other.
 * @param {Region} one
 * @param {Region} two
 * @param {any} facts Constants of covered persons.
 * @returns {boolean}
 */
export function doMeet(one, two, { reach }) {
  return Math.hypot(one.x - two.x, one.y - two.y) < reach * (one.size + two.size);
}

/**
 * Return the region in which somebody was seen last, and detected ones that may be the same.
 * @param {Region} before
 * @param {Region[]} detected
 * @param {any} facts Constants of covered persons.
 * @returns {Region[]}
 */
export function regionsOfOne(before, detected, facts) {
  const isAlike = (region) => region.size / before.size > 2 / 3 && region.size / before.size < 3 / 2;
  return [before, ...detected.filter((region) => doMeet(region, before, facts) && isAlike(region))];
}

/**
 * Return a picture in which limbs and trunks of bodies are grey.
 * @param {import("./regions.js").Picture} image
 * @param {import("./landmarks.js").BodyLandmarks[]} bodies
 * @param {any} facts Constants of pose estimation, with the layout of the joints.
 * @returns {import("./regions.js").Picture}
 */
export function paintedOver(image, bodies, { covered, layout }) {
  const { width, height } = image;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const draw = canvas.getContext("2d", { willReadFrequently: true });
  draw.putImageData(new ImageData(image.data, width, height), 0, 0);
  Object.assign(draw, { fillStyle: PAINT, strokeStyle: PAINT, lineCap: "butt" });
  for (const { points, region } of bodies) {
    const radius = Math.max(1, (covered.limb * region.size) / 2);
    const at = (joint) => [points[2 * joint], points[2 * joint + 1]];
    const isThere = (joint) => at(joint).every(Number.isFinite);
    const corners = covered.trunk.filter(isThere);
    draw.lineWidth = Math.round(2 * radius);
    if (corners.length > 2) fillPath(draw, corners.map(at));
    for (const [child, parent] of layout.bones) {
      if (!isThere(child) || !isThere(parent)) continue;
      draw.beginPath();
      draw.moveTo(...at(child));
      draw.lineTo(...at(parent));
      draw.stroke();
    }
    for (let joint = 0; joint < points.length / 2; joint += 1) {
      if (!isThere(joint)) continue;
      draw.beginPath();
      draw.arc(...at(joint), radius, 0, 2 * Math.PI);
      draw.fill();
    }
  }
  return draw.getImageData(0, 0, width, height);
}

function fillPath(draw, corners) {
  draw.beginPath();
  corners.forEach(([x, y], place) => (place ? draw.lineTo(x, y) : draw.moveTo(x, y)));
  draw.closePath();
  draw.fill();
}
