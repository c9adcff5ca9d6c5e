// Rounds of the agents: confused classes, questions, answers and changes of the guidance.

let filterAgents = () => {};
const PAGE_SIZE = 10, MOST_PRINTED = 100;
const ODD = ["doubted", "repaired", "rejected", "unanswered"];

async function drawAgents(place, { rounds, details }) {
  const entries = await inflate(details);
  const last = rounds.length - 1;
  const state = { round: last, label: "", which: "all", search: "", limit: PAGE_SIZE };
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
  const which = select("agents-which", "Show", [["all", "all"], ["changed", "what changed"], ["odd", "doubted, repaired, rejected, unanswered"], ["remarks", "contradicted by the clips"]], (value) => { state.which = value; update(); });
  const search = html("input", { id: "agents-search", type: "search", placeholder: "words in question or answer", on: { input: () => { state.search = search.value.toLowerCase(); update(); } } });

  const update = (grown = false) => {
    if (!grown) state.limit = PAGE_SIZE;
    tabs.forEach((tab, index) => {
      tab.setAttribute("aria-selected", index === state.round);
      tab.tabIndex = index === state.round ? 0 : -1;
    });
    const matching = entries[state.round].filter((entry) => matches(entry, state));
    list.replaceChildren(...matching.slice(0, state.limit).map(entryCard));
    if (!matching.length) list.append(html("p", { class: "missing" }, emptyNote(entries[state.round], state)));
    if (matching.length > state.limit) {
      list.append(html("p", {}, html("button", { type: "button", class: "button", on: { click: () => { state.limit += 3 * PAGE_SIZE; update(true); } } }, `Show more (${matching.length - state.limit} left)`)));
    }
  };
  filterAgents = (label) => {
    classes.control.value = state.label = String(label);
    which.control.value = state.which = "all";
    const rows = entries.map((listed) => listed.some((entry) => entry.label === label));
    if (!rows[state.round]) state.round = Math.max(0, rows.lastIndexOf(true));
    update();
  };
  onPrint(() => { state.limit = MOST_PRINTED; update(true); }, () => update());
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

function matches(entry, { label, which, search }) {
  if (label !== "" && entry.label !== Number(label)) return false;
  if (which === "changed" && !entry.changed) return false;
  if (which === "odd" && !entry.exchanges.some((exchange) => ODD.includes(exchange.outcome) || exchange.earlier.length)) return false;
  if (which === "remarks" && !entry.exchanges.some((exchange) => exchange.remarks.length)) return false;
  if (!search) return true;
  return [className(entry.label), entry.sentence, ...entry.exchanges.flatMap((exchange) => [exchange.question, exchange.answer])]
    .some((text) => text.toLowerCase().includes(search));
}

function emptyNote(entries, { label, which, search }) {
  if (label !== "" && which === "all" && !search) return `There is no exchange about ${className(Number(label))} in this round: it was hardly mistaken for another class.`;
  return entries.length ? "Nothing in this round matches." : "Nothing was asked in this round.";
}

function entryCard(entry) {
  const marks = jointMarks(entry);
  const targeted = entry.exchanges.filter((exchange) => exchange.rivals.length);
  const [first] = targeted;
  return html("article", { class: "card entry" },
    html("div", {},
      html("div", {}, html("h3", {}, className(entry.label)), first ? html("p", { class: "dim" }, "mistaken for ", rivalsInWords(first.rivals)) : null),
      entry.exchanges.length > 2
        ? html("details", {}, html("summary", {}, `${entry.exchanges.length} questions and answers`), entry.exchanges.map((exchange) => exchangeBlock(exchange, true)))
        : entry.exchanges.map((exchange) => exchangeBlock(exchange, entry.exchanges.length > 1 || !exchange.rivals.length)),
      html("div", { class: "guidance" }, html("p", {}, entry.sentence),
        entry.sentence_before ? html("details", {}, html("summary", {}, "The sentence before"), html("p", { class: "dim small" }, entry.sentence_before)) : null),
      jointChips(marks), list("remarks", entry.notes, "Notes")),
    html("div", {}, report.layout ? skeleton(marks, `Skeleton; salient: ${jointNames(entry.joints) || "all joints"}`) : null));
}

const rivalsInWords = (rivals) => rivals.map(([rival, count]) => `${className(rival)}${count === null ? "" : ` (${count}×)`}`).join(", ");
const jointNames = (joints) => joints.map((joint) => report.layout.names[joint]).join(", ");

/** Return the change of each joint: kept, added or removed. */
function jointMarks({ joints, joints_before: before }) {
  const marks = {};
  joints.forEach((joint) => { marks[joint] = before && !before.includes(joint) ? "added" : "kept"; });
  (before || []).forEach((joint) => { marks[joint] = marks[joint] || "removed"; });
  return marks;
}

function jointChips(marks) {
  const joints = Object.keys(marks).map(Number);
  if (!joints.some((joint) => marks[joint] !== "removed")) return html("p", { class: "dim small" }, "No joint is salient; all of them count.");
  return html("ul", { class: "chips", "aria-label": "Joints" }, joints.map((joint) =>
    html("li", { class: marks[joint] === "kept" ? null : marks[joint] }, report.layout.names[joint],
      marks[joint] === "kept" ? null : html("span", { class: "unseen" }, ` (${marks[joint]})`))));
}

const list = (name, texts, label) => (texts.length ? html("ul", { class: name, "aria-label": label }, texts.map((text) => html("li", {}, text))) : null);

function exchangeBlock(exchange, titled) {
  // An accepted answer became the sentence and the joints, which are shown anyway.
  const accepted = exchange.outcome === "accepted";
  return html("div", { class: titled ? "attempt" : null },
    html("div", { class: "headline" }, titled ? html("strong", {}, exchange.title) : null, html("span", { class: `outcome ${exchange.outcome}` }, exchange.outcome)),
    html("details", { open: !accepted }, html("summary", {}, accepted ? "Question and answer" : "The answer"),
      accepted ? html("p", { class: "quote dim small" }, exchange.question) : null, answerBlock(exchange)),
    accepted ? null : html("details", {}, html("summary", {}, "The question"), html("p", { class: "quote dim small" }, exchange.question)),
    claimsTable(exchange.claims), list("remarks", exchange.remarks, "Evidence against it"), list("remarks", exchange.caveats, "Caveats"),
    exchange.earlier.length ? html("details", {}, html("summary", {}, exchange.earlier.length === 1 ? "An earlier attempt" : `${exchange.earlier.length} earlier attempts`),
      exchange.earlier.map((attempt) => html("div", { class: "attempt" }, html("span", { class: `outcome ${attempt.outcome}` }, attempt.outcome), answerBlock(attempt), list("remarks", attempt.remarks, "Evidence against it")))) : null);
}

/** Return the claims of an answer with verdict, effect size and 95 % interval. */
function claimsTable(claims) {
  if (!claims.length) return null;
  return html("table", { class: "claims" }, html("caption", {}, "Claims, and what the training clips say of them"),
    html("tbody", {}, claims.map(({ claim, verdict, effect }) => html("tr", {}, html("th", { scope: "row" }, claim),
      html("td", { class: verdict.replace(" ", "-") || null }, verdict || "not tested"), html("td", {}, effect)))));
}

function answerBlock({ answer, problem, outcome, source }) {
  return [
    answer ? html("p", { class: "quote" }, answer) : html("p", { class: "dim" }, "No answer."),
    problem ? html("p", { class: `small ${outcome}` }, problem) : null,
    source ? html("p", { class: "dim small" }, source) : null,
  ];
}
