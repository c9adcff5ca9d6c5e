// The record of the experiment: runs, commands, who answered, settings.

function drawRecord(place, { runs, sessions, agents, settings }) {
  place.append(runsFigure(runs), commandsCard(runs, sessions));
  if (agents.length) place.append(agentsFigure(agents));
  place.append(settingsFigure(settings));
}

const time = (text) => text.replace("T", " ").replace(/(:\d\d):\d\dZ?$/, "$1 UTC");
const duration = (seconds) => (seconds < 90 ? `${seconds.toFixed(0)} s` : seconds < 5400 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`);
const commitParts = (commit) => [code(commit.slice(0, 10), commit), commit.endsWith("-dirty") ? " with changes " : " "];
const code = (text, title) => html("code", { title }, text);

function runsFigure(runs) {
  const columns = [
    { key: "run", name: "run" },
    new Set(runs.map((run) => run.recipe)).size > 1 ? { key: "recipe", name: "recipe" } : null,
    { key: "seed", name: "seed", number: true },
    { key: "epochs", name: "epochs", number: true, text: (done, { planned }) => (done === planned ? String(done) : `${done} of ${planned}`) },
    { key: "top1", name: "top-1", number: true, text: (value) => percent(value) },
    { key: "seconds", name: "training", title: "time of all epochs", number: true, text: duration },
    { key: "finished", name: "finished", text: time },
    { key: "version", name: "version" },
    { key: "commit", name: "commit", cell: ({ commits }) => (commits.length ? commits.map(commitParts) : "–") },
    { key: "device", name: "device" },
    { key: "machine", name: "machine", cell: ({ machine, host }) => (machine ? html("span", { title: `host ${host}` }, machine) : "–") },
  ].filter(Boolean);
  const rows = runs.map((run) => ({ ...run, commit: run.commits.join(" ") }));
  return figure({
    name: "runs", title: "Runs", picture: false, plot: sortableTable({ label: "Runs", columns, rows, long: rows.length > 20 }),
    rows: () => [["run", "recipe", "seed", "epochs", "top-1", "seconds", "started", "finished", "version", "commit", "device", "machine", "host"],
      ...rows.map((run) => [run.run, run.recipe, run.seed, run.epochs, run.top1, run.seconds, run.started, run.finished, run.version, run.commit, run.device, run.machine, run.host])],
  });
}

function commandsCard(runs, sessions) {
  const groups = new Map();
  for (const session of sessions) {
    const key = JSON.stringify([session.command, session.folder, session.host, session.commit, session.version]);
    groups.set(key, [...(groups.get(key) || []), session]);
  }
  const silent = runs.filter(({ run }) => !sessions.some((session) => session.run === run));
  return html("div", { class: "card side" }, html("h3", {}, "Commands"),
    [...groups.values()].map((group) => commandBlock(group)),
    silent.length ? html("p", { class: "dim" }, `${silent.length === 1 ? silent[0].run : `${silent.length} runs`}: trained by an earlier version, which recorded no command, commit and machine.`) : null);
}

function commandBlock(group) {
  const [{ command, folder, host, machine, version, commit, python, torch }] = group;
  const copy = html("button", { type: "button", class: "button", on: { click: async () => {
    await navigator.clipboard.writeText(command);
    copy.textContent = "Copied";
  } } }, "Copy");
  const started = group.map((session) => session.started).sort();
  const facts = [
    group.length > 1 ? `${group.length} runs` : group[0].run, `begun ${time(started[0])}`, `in ${folder}`, `on ${host}: ${machine}`,
    `SkeletonAgent ${version}${commit ? `, commit ${commit}` : ""}`, `Python ${python}, torch ${torch}`,
  ];
  return html("div", { class: "command" },
    html("div", { class: "line" }, html("pre", { tabindex: 0, "aria-label": "Command" }, html("code", {}, command)), navigator.clipboard ? copy : null),
    html("p", { class: "dim small" }, facts.join(" · ")));
}

function agentsFigure(agents) {
  const rows = agents.map((used) => ({ ...used, share: used.classes ? (used.classes - used.missing) / used.classes : null, tokens: used.input_tokens + used.output_tokens, shared: used.identical.length, why: used.unanswered.reduce((sum, [, count]) => sum + count, 0) }));
  const columns = [
    { key: "run", name: "run" }, { key: "chat", name: "asked" },
    { key: "share", name: "classes guided", number: true, cell: ({ classes, missing }) => html("span", { class: missing ? "failed" : null }, `${classes - missing} of ${classes}`) },
    { key: "guided", name: "by", cell: ({ guided }) => (guided.length ? guided.map(([name, count]) => html("div", {}, `${name} (${count})`)) : "nobody") },
    { key: "rounds", name: "rounds", number: true }, { key: "questions", name: "questions", number: true },
    { key: "why", name: "unanswered", number: true, cell: ({ why, unanswered }) => (why ? html("span", { class: "failed", title: unanswered.map(([reason, count]) => `${count}: ${reason}`).join("\n") }, String(why)) : "0") },
    { key: "requests", name: "requests", number: true },
    { key: "tokens", name: "tokens", title: "read and written by language models", number: true, text: (value, { input_tokens: read, output_tokens: written }) => (value ? `${read.toLocaleString("en")} + ${written.toLocaleString("en")}` : "0") },
    { key: "dollars", name: "cost", number: true, text: (value) => `$${value.toFixed(2)}`, cell: ({ dollars }) => (dollars === null ? "unknown" : `$${dollars.toFixed(2)}`) },
    { key: "shared", name: "shared sentences", title: "groups of classes that have one sentence", number: true, cell: ({ identical }) => (identical.length ? html("span", { class: "repaired", title: identical.map((names) => names.join(", ")).join("\n") }, String(identical.length)) : "0") },
  ];
  const reasons = new Map();
  agents.flatMap((used) => used.unanswered).forEach(([reason, count]) => reasons.set(reason, (reasons.get(reason) || 0) + count));
  const box = figure({
    name: "agents", title: "Who answered", picture: false, plot: sortableTable({ label: "Who answered", columns, rows }),
    rows: () => [["run", "asked", "classes", "guided", "by", "rounds", "questions", "unanswered", "requests", "input tokens", "output tokens", "dollars"],
      ...rows.map((used) => [used.run, used.chat, used.classes, used.classes - used.missing, used.guided.map(([name, count]) => `${name} ${count}`).join("; "), used.rounds, used.questions, used.why, used.requests, used.input_tokens, used.output_tokens, used.dollars])],
  });
  if (reasons.size) box.append(html("p", { class: "small" }, "Not answered:"), html("ul", { class: "remarks failed" }, [...reasons].map(([reason, count]) => html("li", {}, `${count}×: ${reason}`))));
  return box;
}

function settingsFigure({ preset, recipes, rows }) {
  const shown = recipes.slice(0, 5);
  const flat = rows.map((row) => ({ ...row, ...Object.fromEntries(row.values.map((value, index) => [`value-${index}`, value])) }));
  const columns = [
    { key: "name", name: "setting", cell: ({ name }) => code(name) },
    ...shown.map((name, index) => ({
      key: `value-${index}`, name: shown.length > 1 ? name : "this run", cell: (row) => (row.values[index] === row.preset ? row.values[index] : html("strong", {}, row.values[index])),
    })),
    { key: "preset", name: `preset ${preset}` },
  ];
  const place = html("div", {});
  const differing = flat.filter((row) => row.differs);
  const draw = (all) => {
    const kept = all ? flat : differing;
    place.replaceChildren(kept.length ? sortableTable({ label: "Settings", columns, rows: kept, long: kept.length > 25 }) : html("p", { class: "dim" }, "Every setting is the preset's."));
  };
  const everything = checkbox("record-settings", `all ${flat.length} settings`, false, draw);
  draw(false);
  const box = figure({
    name: "settings", title: "Configuration", picture: false, plot: place,
    caption: `${differing.length ? `${differing.length} of ${flat.length} settings differ` : "Nothing differs"} from the nearest preset, ${preset}; data, split and seed are left out.`,
    rows: () => [["setting", ...recipes, `preset ${preset}`], ...rows.map((row) => [row.name, ...row.values, row.preset])],
  });
  box.insertBefore(html("div", { class: "controls" }, everything.field), place);
  return box;
}
