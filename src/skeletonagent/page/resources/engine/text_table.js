/**
 * Tables of keypoints in text: a row for each frame, or for each joint in each frame.
 *
 * The names of columns mean what they mean in `skeletonagent.data.keypoints.columns`.
 * @module
 */

const AXES = ["x", "y", "z"];
const CONFIDENCES =
  "c|conf|confidence|score|likelihood|visibility|visible|vis|prob|probability|presence";
const PART = `x|y|z|${CONFIDENCES}`;
const UNIT = /\s*[([](?:mm|cm|m|px|pixels?|norm(?:alized)?)[)\]]$/i;
const BEHIND = new RegExp(
  `^(?<joint>.+?)(?:[\\s_.:/-]+|(?<=\\d)|(?<=[)\\]])|(?=[([]))[([]?(?<part>${PART})[)\\]]?$`, "i",
);
const CAMEL = /^(?<joint>.*[a-z0-9])(?<part>[XYZ])$/;
const BEFORE = new RegExp(`^(?<part>${PART})(?:[\\s_.:-]+(?<joint>.+)|(?<number>\\d+))$`, "i");
const NUMBERED = /^(?:joint|kp|keypoint|landmark|point|marker|node|j|p|k)?[\s_]*(\d+)$/i;
const PERSON = /^(?:person|body|player|track|id|p)[\s_]*(\d+)[\s_.:/-]+(.+)$/i;
const ROLES = {
  frame: /^(?:frames?|frame_?(?:id|index|idx|no|number|num)|fno|fnum|image_id)$/,
  time: /^(?:time|t|seconds|milliseconds|timestamp|(?:time|timestamp)_(?:s|sec|ms|us|ns))$/,
  person: /^(?:person|track|body|skeleton|(?:person|track|body|skeleton)_?id|id|individuals?|instance|player)$/,
  recording: /^(?:file|file_?name|video|clip|recording|sequence|sample|take|trial|(?:video|clip|sequence|sample)_id)$/,
  ignored: /^(?:label|action|class|activity|class_name|action_name|subject|subject_id|participant|performer|actor)$/,
  joint: /^(?:joint|keypoint|landmark|(?:joint|keypoint|landmark)_(?:name|id|index)|marker|body_?part|node|name|point|kp)$/,
};
const MISSING = new Set(["", "nan", "na", "n/a", "none", "null", "-", "inf", "-inf"]);

/**
 * Bodies in the rows of a table, a row for each body in a frame.
 * @typedef {object} TableBodies
 * @property {string[]} joints Names of the joints.
 * @property {number} width Coordinates of a joint.
 * @property {{values: Float64Array, confidence: Float64Array|null, frame: number|null,
 *     time: number|null, person: string|null}[]} rows
 * @property {string[]} warnings
 */

/**
 * Return the bodies of a table.
 * @param {string} text
 * @returns {TableBodies}
 */
export function readTable(text) {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  const rows = splitLines(lines.filter((line) => line.trim() && !line.trimStart().startsWith("#")));
  const first = rows.findIndex((row) => row.some(isNumber));
  if (first < 1) throw new Error("the table needs a header that names its columns, and numbers");
  const header = rows[0].map((name) => name.replace(/\p{Cc}/gu, " ").trim());
  const body = rows.slice(first);
  body.forEach((row, line) => {
    if (row.length === header.length) return;
    throw new Error(`row ${line + 1} has ${row.length} cells, others have ${header.length}`);
  });
  const columns = columnsOf(header);
  if (columns.roles.recording !== undefined) {
    const names = new Set(body.map((row) => row[columns.roles.recording]));
    if (names.size > 1) throw new Error(`the table holds ${names.size} recordings; save one of them`);
  }
  if (columns.joints.size) return wideRows(body, columns);
  const { x, y } = columns.parts;
  if (x !== undefined && y !== undefined && columns.roles.joint !== undefined) {
    return longRows(body, columns);
  }
  throw new Error(
    "the table names no joints with coordinates; columns such as nose_x, nose_y or frame, joint, " +
      "x, y are expected",
  );
}

const isNumber = (cell) => cell !== "" && Number.isFinite(Number(cell));

/** Return the cells of lines; the separator is that which gives equal numbers of cells. */
function splitLines(lines) {
  const sample = lines.slice(0, 20);
  let best = [1, null];
  for (const separator of [",", ";", "\t"]) {
    const counts = new Set(sample.map((line) => splitLine(line, separator).length));
    const [count] = counts;
    if (counts.size === 1 && count > best[0]) best = [count, separator];
  }
  if (best[1] === null) return lines.map((line) => line.trim().split(/\s+/));
  return lines.map((line) => splitLine(line, best[1]));
}

function splitLine(line, separator) {
  const cells = [];
  let cell = "";
  let quoted = false;
  for (let place = 0; place < line.length; place += 1) {
    const letter = line[place];
    if (letter === '"' && quoted && line[place + 1] === '"') {
      cell += letter;
      place += 1;
    } else if (letter === '"') quoted = !quoted;
    else if (letter === separator && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += letter;
  }
  return [...cells, cell.trim()];
}

/** Return which joint and coordinate, frame, time or person each column is. */
function columnsOf(header) {
  const joints = new Map();
  const [roles, parts, unused] = [{}, {}, []];
  header.forEach((name, column) => {
    if (column === 0 && (name === "" || name === "Unnamed: 0")) return;
    const bare = name.replace(UNIT, "").trim();
    const key = bare.toLowerCase().replace(/[\W_]+/g, "_").replace(/^_+|_+$/g, "");
    const role = Object.keys(ROLES).find((one) => ROLES[one].test(key));
    const part = partOf(bare);
    const [joint, of] = jointAndPart(bare);
    if (part && !(part in parts)) parts[part] = column;
    else if (role && !(role in roles)) roles[role] = column;
    else if (joint && joints.get(joint)?.[of] === undefined) {
      joints.set(joint, { ...joints.get(joint), [of]: column });
    } else unused.push(name);
  });
  return { joints, roles, parts, unused };
}

function partOf(name) {
  const lower = name.toLowerCase();
  if (AXES.includes(lower)) return lower;
  return new RegExp(`^(?:${CONFIDENCES})$`).test(lower) ? "confidence" : null;
}

function jointAndPart(name) {
  const match = BEHIND.exec(name) ?? CAMEL.exec(name) ?? BEFORE.exec(name);
  if (!match) return [null, null];
  const { joint, number, part } = match.groups;
  return [joint ?? number ?? "", partOf(part) ?? "confidence"];
}

/** Return a cell as a number, NaN where it is empty. */
function numberOf(cell, line) {
  if (MISSING.has(cell.toLowerCase())) return NaN;
  const value = Number(cell);
  if (Number.isNaN(value)) {
    throw new Error(`row ${line + 1} has ${JSON.stringify(cell.slice(0, 40))} where a number belongs`);
  }
  return Number.isFinite(value) ? value : NaN;
}

/** Return names in the order of their numbers if all are only numbered. */
function ordered(names) {
  const number = (name) => NUMBERED.exec(name.trim());
  if (!names.every(number)) return names;
  return [...names].sort((a, b) => Number(number(a)[1]) - Number(number(b)[1]));
}

/** Return joints by person, where all names begin with one and persons have equal joints. */
function byPerson(joints) {
  const persons = new Map();
  for (const [name, columns] of joints) {
    const match = PERSON.exec(name);
    if (!match) return new Map([[null, joints]]);
    if (!persons.has(match[1])) persons.set(match[1], new Map());
    persons.get(match[1]).set(match[2], columns);
  }
  const kinds = new Set([...persons.values()].map((own) => [...own.keys()].sort().join("\n")));
  return kinds.size === 1 ? persons : new Map([[null, joints]]);
}

function wideRows(body, columns) {
  const persons = byPerson(columns.joints);
  const rows = [];
  let [joints, width] = [[], 0];
  for (const [person, own] of persons) {
    const axes = AXES.filter((axis) => [...own.values()].some((parts) => axis in parts));
    const names = ordered([...own.keys()].filter((name) => "x" in own.get(name) || "y" in own.get(name)));
    const wrong = names.filter((name) => axes.some((axis) => !(axis in own.get(name))));
    if (wrong.length || axes.length < 2) {
      throw new Error(`the table lacks coordinates of ${wrong.join(", ") || "its joints"}`);
    }
    const scored = names.every((name) => "confidence" in own.get(name));
    [joints, width] = [names, axes.length];
    body.forEach((row, line) => {
      const cells = (parts) => names.flatMap((name) => parts.map((part) => row[own.get(name)[part]]));
      const numbers = (parts) => Float64Array.from(cells(parts), (cell) => numberOf(cell, line));
      const frame = columns.roles.frame === undefined ? null : numberOf(row[columns.roles.frame], line);
      rows.push({
        values: numbers(axes),
        confidence: scored ? numbers(["confidence"]) : null,
        frame: frame ?? (persons.size > 1 ? line : null),
        time: columns.roles.time === undefined ? null : numberOf(row[columns.roles.time], line),
        person: person ?? cellOf(row, columns.roles.person),
      });
    });
  }
  const unused = [...columns.unused, ...Object.keys(columns.parts)];
  const warnings = unused.length ? [`columns not used: ${unused.join(", ").slice(0, 200)}`] : [];
  return { joints, width, rows, warnings };
}

const cellOf = (row, column) => (column === undefined ? null : row[column]);

function longRows(body, columns) {
  const { roles, parts } = columns;
  if (roles.frame === undefined && roles.time === undefined) {
    throw new Error("the table has a row for each joint and no column of frames");
  }
  const axes = AXES.filter((axis) => axis in parts);
  const scored = "confidence" in parts;
  const joints = ordered([...new Set(body.map((row) => row[roles.joint]))]);
  const place = new Map(joints.map((name, joint) => [name, joint]));
  const bodies = new Map();
  body.forEach((row, line) => {
    const key = JSON.stringify(["frame", "time", "person"].map((role) => cellOf(row, roles[role])));
    if (!bodies.has(key)) {
      bodies.set(key, {
        values: new Float64Array(joints.length * axes.length).fill(NaN),
        confidence: scored ? new Float64Array(joints.length).fill(NaN) : null,
        frame: roles.frame === undefined ? null : numberOf(row[roles.frame], line),
        time: roles.time === undefined ? null : numberOf(row[roles.time], line),
        person: cellOf(row, roles.person),
        filled: new Set(),
      });
    }
    const own = bodies.get(key);
    const joint = place.get(row[roles.joint]);
    if (own.filled.has(joint)) {
      throw new Error(
        `row ${line + 1} repeats joint ${row[roles.joint]} of the same frame; a column person ` +
          "tells bodies apart",
      );
    }
    own.filled.add(joint);
    axes.forEach((axis, n) => {
      own.values[joint * axes.length + n] = numberOf(row[parts[axis]], line);
    });
    if (scored) own.confidence[joint] = numberOf(row[parts.confidence], line);
  });
  const warnings = columns.unused.length
    ? [`columns not used: ${columns.unused.join(", ").slice(0, 200)}`]
    : [];
  return { joints, width: axes.length, rows: [...bodies.values()], warnings };
}

/**
 * Return whether a joint is only numbered, such as `joint3`.
 * @param {string} name
 * @returns {boolean}
 */
export function isNumbered(name) {
  return NUMBERED.test(name.trim());
}
