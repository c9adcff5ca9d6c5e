// The agents' rounds: which classes were confused with which, what was asked, answered and changed.

let filterAgents = () => {};
const AT_ONCE = 10;
const ODD = ["repaired", "rejected", "unanswered"];

async function drawAgents(place, { rounds, details }) {
  const told = await inflate(details);
  const last = rounds.length - 1;
  const state = { round: last, label: "", which: "all", search: "", most: AT_ONCE };
  const list = html("div", { class: "entries", id: "agents-entries" });
  const tabs = rounds.map((round, index) => html("button", { type: "button", role: "tab", id: `agents-round-${index}`, on: { click: () => { state.round = index; update(); } } },
    html("span", {}, round.number ? `Round ${round.number}` : "Before training"),
    html("small", {}, round.epoch === null || !round.number ? `${round.asked} classes` : `epoch ${round.epoch + 1} · ${round.asked} asked`),
    outcomeBar(round.outcomes)));
  const tablist = html("div", { class: "rounds", role: "tablist", "aria-label": "Rounds of the agents" }, tabs);
  tablist.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -last, End: last }[event.key];
    if (!move) return;
    event.preventDefault();
    state.round = clamp(state.round + move, 0, last);
    update();
    tabs[state.round].focus();
  });
  const classes = select("agents-class", "Class", classOptions("every class"), (value) => { state.label = value; update(); });
  const which = select("agents-which", "Show", [["all", "all"], ["changed", "what changed"], ["odd", "repaired, rejected, unanswered"], ["remarks", "what the clips speak against"]], (value) => { state.which = value; update(); });
  const search = html("input", { id: "agents-search", type: "search", placeholder: "words in question or answer", on: { input: () => { state.search = search.value.toLowerCase(); update(); } } });

  const update = (grown = false) => {
    if (!grown) state.most = AT_ONCE;
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", index === state.round);
      tab.tabIndex = index === state.round ? 0 : -1;
    });
    const found = told[state.round].filter((entry) => wanted(entry, state));
    list.replaceChildren(...found.slice(0, state.most).map(entryCard));
    if (!found.length) list.append(html("p", { class: "missing" }, emptyNote(told[state.round], state)));
    if (found.length > state.most) {
      list.append(html("p", {}, html("button", { type: "button", class: "button", on: { click: () => { state.most += 3 * AT_ONCE; update(true); } } }, `Show more (${found.length - state.most} left)`)));
    }
  };
  filterAgents = (label) => {
    classes.control.value = state.label = String(label);
    which.control.value = state.which = "all";
    const rows = told.map((entries) => entries.some((entry) => entry.label === label));
    if (!rows[state.round]) state.round = Math.max(0, rows.lastIndexOf(true));
    update();
  };
  place.append(tablist, html("div", { class: "controls" }, classes.field, which.field, html("label", { class: "grow" }, "Search", search)), list);
  update();
  tabs[state.round].parentElement.scrollLeft = 1e6;
}

function outcomeBar(outcomes) {
  const total = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  const words = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  return html("span", { class: "bar", role: "img", "aria-label": words || "nothing asked", title: words },
    ["accepted", ...ODD].filter((outcome) => outcomes[outcome]).map((outcome) => html("i", { class: outcome, style: `flex:${outcomes[outcome] / total}` })));
}

function wanted(entry, { label, which, search }) {
  if (label !== "" && entry.label !== Number(label)) return false;
  if (which === "changed" && !entry.changed) return false;
  if (which === "odd" && !entry.exchanges.some((said) => ODD.includes(said.outcome) || said.earlier.length)) return false;
  if (which === "remarks" && !entry.exchanges.some((said) => said.remarks.length)) return false;
  if (!search) return true;
  return [className(entry.label), entry.sentence, ...entry.exchanges.flatMap((said) => [said.question, said.answer])]
    .some((text) => text.toLowerCase().includes(search));
}

function emptyNote(entries, { label, which, search }) {
  if (label !== "" && which === "all" && !search) return `Nothing was said about ${className(Number(label))} in this round: it was hardly mistaken for another class.`;
  return entries.length ? "Nothing in this round is like that." : "Nothing was asked in this round.";
}

function entryCard(entry) {
  const marks = jointMarks(entry);
  const targeted = entry.exchanges.filter((said) => said.rivals.length);
  const [first] = targeted;
  return html("article", { class: "card entry" },
    html("div", {},
      html("div", {}, html("h3", {}, className(entry.label)), first ? html("p", { class: "dim" }, "mistaken for ", rivalsInWords(first.rivals)) : null),
      entry.exchanges.length > 2
        ? html("details", {}, html("summary", {}, `${entry.exchanges.length} questions and answers`), entry.exchanges.map((said) => exchange(said, true)))
        : entry.exchanges.map((said) => exchange(said, entry.exchanges.length > 1 || !said.rivals.length)),
      html("div", { class: "told" }, html("p", {}, entry.sentence),
        entry.earlier ? html("details", {}, html("summary", {}, "The sentence before"), html("p", { class: "dim small" }, entry.earlier)) : null),
      jointChips(marks), list("remarks", entry.notes, "Notes")),
    html("div", {}, report.layout ? skeleton(marks, `Skeleton; salient: ${jointNames(entry.joints) || "all joints"}`) : null));
}

const rivalsInWords = (rivals) => rivals.map(([rival, count]) => `${className(rival)}${count === null ? "" : ` (${count}×)`}`).join(", ");
const jointNames = (joints) => joints.map((joint) => report.layout.names[joint]).join(", ");

/** Return what became of each joint: kept, added or removed. */
function jointMarks({ joints, before }) {
  const marks = {};
  joints.forEach((joint) => { marks[joint] = before && !before.includes(joint) ? "added" : "kept"; });
  (before || []).forEach((joint) => { marks[joint] = marks[joint] || "removed"; });
  return marks;
}

function jointChips(marks) {
  const joints = Object.keys(marks).map(Number);
  if (!joints.some((joint) => marks[joint] !== "removed")) return html("p", { class: "dim small" }, "No joint is known to be salient; all of them count.");
  return html("ul", { class: "chips", "aria-label": "Joints" }, joints.map((joint) =>
    html("li", { class: marks[joint] === "kept" ? null : marks[joint] }, report.layout.names[joint],
      marks[joint] === "kept" ? null : html("span", { class: "unseen" }, ` (${marks[joint]})`))));
}

const list = (name, texts, label) => (texts.length ? html("ul", { class: name, "aria-label": label }, texts.map((text) => html("li", {}, text))) : null);

function exchange(said, titled) {
  // What was accepted has become the sentence and the joints that are shown in any case.
  const plainly = said.outcome === "accepted";
  return html("div", { class: titled ? "attempt" : null },
    html("div", { class: "headline" }, titled ? html("strong", {}, said.title) : null, html("span", { class: `outcome ${said.outcome}` }, said.outcome)),
    html("details", { open: !plainly }, html("summary", {}, plainly ? "Question and answer" : "The answer"),
      plainly ? html("p", { class: "said dim small" }, said.question) : null, answered(said)),
    plainly ? null : html("details", {}, html("summary", {}, "The question"), html("p", { class: "said dim small" }, said.question)),
    list("remarks", said.remarks, "What the clips say against it"),
    said.earlier.length ? html("details", {}, html("summary", {}, said.earlier.length === 1 ? "An earlier attempt" : `${said.earlier.length} earlier attempts`),
      said.earlier.map((attempt) => html("div", { class: "attempt" }, html("span", { class: `outcome ${attempt.outcome}` }, attempt.outcome), answered(attempt), list("remarks", attempt.remarks, "What the clips say against it")))) : null);
}

function answered({ answer, problem, outcome, source }) {
  return [
    answer ? html("p", { class: "said" }, answer) : html("p", { class: "dim" }, "No answer."),
    problem ? html("p", { class: `small ${outcome}` }, problem) : null,
    source ? html("p", { class: "dim small" }, source) : null,
  ];
}
