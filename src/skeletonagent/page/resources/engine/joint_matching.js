/**
 * Joints that two skeletons share, by their names in the spellings of many tools.
 *
 * The rules are those of `skeletonagent.core.joint_names` and `joint_matching`.
 * @module
 */

const LEG_WORDS =
  "hip|knee|ankle|foot|feet|leg|toe|heel|femur|tibia|fibula|thigh|shin|shank|calf|sole|patella|" +
  "malleol|trochanter|metatars";
const ARM_WORDS =
  "shoulder|elbow|wrist|hand|thumb|arm|finger|pinky|index|clavicle|collar|scapula|humerus|radius|" +
  "ulna|palm|knuckle|fist|acromion|olecranon|metacarp";
const WORD = /(?:^|[\s_.-])(left|right|l|r)(?=$|[\s_.-])|^(left|right)|(left|right)$/;
const LETTER_BEFORE = new RegExp(`^([lr])(?=(?:${LEG_WORDS}|${ARM_WORDS}))`);
const CAPITAL = /^([LR])(?=[A-Z][a-z])|(?<=[a-z0-9])([LR])$/;
const SIDES = { l: "left", r: "right" };

const HIPS = "middle of hips";
const SPINE = "middle of spine";
const SHOULDERS = "middle of shoulders";
const synonyms = (names, common) => names.map((name) => [name, common]);
const SYNONYMS = new Map([
  ...synonyms(
    ["hips", "hip", "hip center", "hip centre", "mid hip", "midhip", "mid hips", "pelvis",
      "base of spine", "spine base", "root"],
    HIPS,
  ),
  ...synonyms(["spine", "spine mid", "mid spine", "spine middle", "middle spine"], SPINE),
  ...synonyms(
    ["shoulder center", "shoulder centre", "mid shoulder", "mid shoulders", "spine shoulder"],
    SHOULDERS,
  ),
]);
const NEAR = new Map([
  ...synonyms(["torso", "belly", "abdomen", "waist"], SPINE),
  ["face", "head"],
]);
const BONE_STARTS = {
  shoulder: "clavicle", arm: "shoulder", forearm: "elbow", "fore arm": "elbow", hand: "wrist",
  upleg: "hip", "up leg": "hip", leg: "knee", foot: "ankle", toebase: "foot", "toe base": "foot",
};
const NUMBERED = /^(?:(?:joint|point|keypoint|landmark|marker|node|kp|j|p)?\s*\d+)$/;

const spaced = (text) => text.replace(/[\s_.-]+/g, " ").trim();

/** Return the side that a joint's name says, and the rest of the name. */
function sideAndRest(name) {
  const bare = name.slice(name.lastIndexOf(":") + 1).trim();
  const lower = bare.toLowerCase();
  const match = WORD.exec(lower) ?? CAPITAL.exec(bare) ?? LETTER_BEFORE.exec(lower);
  if (!match) return ["", spaced(lower)];
  const word = match.slice(1).find(Boolean).toLowerCase();
  const rest = `${lower.slice(0, match.index)} ${lower.slice(match.index + match[0].length)}`;
  return [SIDES[word] ?? word, spaced(rest)];
}

/** Return side and rest of each name; a first letter also is a side if both are there. */
function sidesAndRests(names) {
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return names.map((name) => {
    const found = sideAndRest(name);
    const first = name.slice(0, 1).toLowerCase();
    const others = name.slice(1).toLowerCase();
    const both = lower.has(`l${others}`) && lower.has(`r${others}`);
    if (found[0] || others.length < 2 || !both) return found;
    return [SIDES[first] ?? "", spaced(first in SIDES ? others : name.toLowerCase())];
  });
}

/** Return what each joint is recognised by; null where that is nothing, or not clear. */
function keysOf(names) {
  const parts = sidesAndRests(names);
  const rests = new Set(parts.map(([, rest]) => rest));
  const starts =
    (rests.has("forearm") || rests.has("fore arm")) && (rests.has("upleg") || rests.has("up leg"));
  const keys = parts.map(([side, rest]) => `${side}/${commonName(side, rest, rests, starts)}`);
  return keys.map((key, place) => {
    const count = keys.filter((other) => other === key).length;
    return count > 1 || NUMBERED.test(parts[place][1]) ? null : key;
  });
}

function commonName(side, rest, rests, starts) {
  if (side) return starts ? BONE_STARTS[rest] ?? rest : rest;
  if (rest === "spine" && rests.has(SPINE)) return SHOULDERS;
  const near = NEAR.get(rest);
  const isFree = [...rests].every((other) => (SYNONYMS.get(other) ?? other) !== near);
  if (near !== undefined && isFree) return near;
  return SYNONYMS.get(rest) ?? rest;
}

const canonicalName = (name) => {
  const [side, rest] = sideAndRest(name);
  return `${side} ${rest.replaceAll(" ", "")}`.trim();
};

/**
 * Return the given joint that each wanted one is: of the same name, or of one that means it.
 * @param {string[]} given
 * @param {string[]} wanted
 * @returns {(number|null)[]}
 */
export function jointPlaces(given, wanted) {
  const exact = new Map(given.map((name, place) => [canonicalName(name), place]));
  const alike = new Map();
  if (new Set(given).size === given.length) {
    keysOf(given).forEach((key, place) => {
      if (key !== null) alike.set(key, place);
    });
  }
  const keys = keysOf(wanted);
  return wanted.map(
    (name, joint) => exact.get(canonicalName(name)) ?? alike.get(keys[joint]) ?? null,
  );
}
