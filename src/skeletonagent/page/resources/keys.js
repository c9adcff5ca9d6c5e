// Keys of the page, and the window that lists them.

import { button, html } from "./dom.js";

const KEPT = "skeletonagent-keys";
const LISTED = [
  ["Space", "play or pause"], ["← →", "one frame back or on; with Shift a second"], ["Home End", "first or last frame"],
  ["↑ ↓", "previous or next action"], ["[ ]", "let the action begin or end at the playhead"], ["S", "split the action at the playhead"],
  ["N", "add an action at the playhead"], ["L", "change the label"], ["Delete", "delete the action"],
  ["Ctrl Z", "undo; with Shift, redo"], ["A D W X", "turn and tilt the skeletons, when they have the focus"], ["+ − 0", "zoom, and look from the front"], ["?", "this list"],
];
const TYPING = "input:not([type=range], [type=checkbox]), select, textarea, [contenteditable]";
/** Elements for which Space and arrows mean something else. */
const OWN_SPACE = "button, summary, a, input, select";
const OWN_ARROWS = "input, select";

/**
 * Listen to keys while a recording is shown.
 * @param {() => import("./workbench.js").Workbench|null} current
 */
export function startKeys(current) {
  const help = helpDialog();
  addEventListener("keydown", (event) => {
    const bench = current();
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]") || event.target.closest?.(TYPING)) return;
    if (!bench) return;
    const run = event.ctrlKey || event.metaKey ? withControl(event, bench) : plain(event, bench, help);
    if (!run) return;
    event.preventDefault();
    run();
  });
  return help;
}

function withControl(event, bench) {
  const key = event.key.toLowerCase();
  if (key === "z") return () => (event.shiftKey ? bench.redo() : bench.undo());
  return key === "y" ? () => bench.redo() : null;
}

function plain(event, bench, help) {
  const { key, shiftKey, target } = event, at = target.closest ? target : document.body;
  if (key === " " && !at.closest(OWN_SPACE)) return () => bench.toggle();
  const moves = {
    ArrowLeft: () => bench.step(shiftKey ? -bench.playback.fps : -1), ArrowRight: () => bench.step(shiftKey ? bench.playback.fps : 1),
    ArrowUp: () => bench.selectNext(-1), ArrowDown: () => bench.selectNext(1),
    Home: () => bench.step(-Infinity), End: () => bench.step(Infinity),
  };
  // Arrows scroll the page, unless somebody works on the recording.
  if (moves[key]) return bench.place.contains(at) && !at.closest(OWN_ARROWS) ? moves[key] : null;
  if (key === "Delete") return () => bench.remove();
  if (!help.letters()) return null;
  return { "[": () => bench.toStart(), "]": () => bench.toEnd(), s: () => bench.split(), n: () => bench.add(), l: () => bench.editor.focusLabel(), "?": () => help.dialog.showModal() }[key] ?? null;
}

/** Return the window that lists the keys; single letters can be switched off in it. */
function helpDialog() {
  let on = true;
  try { on = localStorage.getItem(KEPT) !== "off"; } catch { /* nothing is kept: they are on */ }
  const letters = html("input", { type: "checkbox", id: "letters", checked: on, on: { change: () => { try { localStorage.setItem(KEPT, letters.checked ? "on" : "off"); } catch { /* as long as the page */ } } } });
  const dialog = html("dialog", { "aria-labelledby": "keys-title" },
    html("h2", { id: "keys-title" }, "Keys"),
    html("dl", { class: "keys" }, LISTED.map(([keys, text]) => html("div", {}, html("dt", {}, keys.split(" ").map((key) => html("kbd", {}, key))), html("dd", {}, text)))),
    html("label", { class: "inline" }, letters, " single letters and brackets are keys"),
    html("div", { class: "tools" }, button(null, "Close", () => dialog.close(), { class: "primary", autofocus: true })));
  document.body.append(dialog);
  return { dialog, letters: () => letters.checked };
}
