// Why an action was recognized: probabilities, the joints that mattered, the words against the runner-up.

import { clockTime, html, percent } from "./dom.js";
import { UNKNOWN, personName } from "./labels.js";

const MOST_TOP = 5;
/** Classes of less are left out, beyond the first two. */
const LEAST_TOP = 0.005;

/** The selected action, explained. */
export class Why {
  /** @param {{looks: import("./theme.js").Looks, onJoint: (joint: string|null) => void}} options */
  constructor({ looks, onJoint }) {
    this.looks = looks;
    this.onJoint = onJoint;
    this.box = html("div", { class: "why" });
    this.now = html("p", { class: "now", hidden: true });
  }

  /**
   * @param {import("./labels.js").Label|null} item
   * @param {{recording: import("./recording.js").Recording, threshold: number|null, model: import("./recognizer.js").Model}} context
   */
  show(item, context) {
    if (!item) {
      this.box.replaceChildren(html("p", { class: "dim" }, "Choose an action on the timeline to see why it was recognized."));
      return;
    }
    this.box.replaceChildren(heading(item, context, this.looks), ...[
      item.top.length ? bars(item, this.looks) : null,
      item.explanation.joints.length ? this.#joints(item.explanation, item.label) : null,
      words(item, context.model),
    ].filter(Boolean));
  }

  /** Say what is probable at the place of the playhead. */
  showNow(shares, seconds) {
    const shown = shares.slice(0, 3).filter(({ score }) => score >= LEAST_TOP).map(({ label, score }) => `${label} ${percent(score)}`).join(", ");
    this.now.hidden = !shown;
    this.now.replaceChildren(html("b", {}, `Window around ${clockTime(seconds)}`), ` ${shown}`);
  }

  #joints({ joints, joints_from: from }, label) {
    const why = from === "guidance"
      ? `The agents chose these joints for ${label}; the bars show how they share the movement.`
      : "These joints moved most; the bars show how they share the movement.";
    const chips = joints.map(({ joint, weight }) => html("li", {},
      html("button", {
        type: "button", class: "joint", "aria-label": `Show ${spaced(joint)}, ${percent(weight)} of the movement`,
        on: {
          pointerenter: () => this.onJoint(joint), pointerleave: () => this.onJoint(null),
          focus: () => this.onJoint(joint), blur: () => this.onJoint(null),
        },
      }, html("span", { class: "name" }, spaced(joint)), html("span", { class: "meter" }, html("i", { style: { width: `${100 * weight}%` } })), html("span", { class: "share" }, percent(weight)))));
    return html("section", { "aria-label": "Joints that mattered" }, html("h3", {}, html("span", { class: "ring", "aria-hidden": "true" }), " Joints that mattered"),
      html("p", { class: "dim small" }, why), html("ul", { class: "joints" }, chips));
  }
}

/** Return the name of a joint in words. */
const spaced = (joint) => joint.replace(/[_\s]+/g, " ");

function heading(item, { recording, threshold }, looks) {
  const unknown = item.label === UNKNOWN;
  const swatch = html("span", { class: `swatch${unknown ? " unknown" : ""}`, "aria-hidden": "true", style: unknown ? {} : { "--class": `var(${looks.ofClass(item.label).variable})` } });
  const time = `${clockTime(item.start / recording.fps)} to ${clockTime(item.end / recording.fps)}`;
  const origin = { found: null, corrected: "corrected by you", added: "added by you" }[item.origin];
  return html("div", { class: "answer" },
    html("h2", {}, swatch, html("span", { class: "text" }, unknown ? "Unknown" : item.label)),
    item.score === null ? null : html("p", { class: "figure" }, percent(item.score)),
    html("p", { class: "dim small" }, [personName(item.person), time, origin].filter(Boolean).join(" · ")),
    unknown && threshold ? html("p", { class: "small" }, `No action is probable enough: the best has ${percent(item.score ?? 0)}, and ${percent(threshold)} are asked for.`) : null);
}

function bars(item, looks) {
  return html("section", { "aria-label": "Most probable actions" }, html("h3", {}, "Most probable"),
    html("ol", { class: "bars" }, item.top.filter(({ score }, place) => place < 2 || (place < MOST_TOP && score >= LEAST_TOP)).map(({ label, score }) => html("li", { class: label === item.label ? "chosen" : null },
      html("span", { class: "name" }, label), html("span", { class: "share" }, percent(score, score < 0.1 ? 1 : 0)),
      html("i", { "aria-hidden": "true", style: { width: `${100 * score}%`, "--class": `var(${looks.ofClass(label).variable})` } })))));
}

/** Return the sentences about the label and the runner-up, one beside the other. */
function words(item, model) {
  const { runner_up: rival, sentences } = item.explanation;
  const of = (label) => sentences[label] ?? model.sentences?.[label];
  const pairs = [[item.label, "what was recognized"], ...(rival && rival.label !== item.label ? [[rival.label, `the runner-up, ${percent(rival.score, rival.score < 0.1 ? 1 : 0)}`]] : [])]
    .filter(([label]) => of(label));
  if (!pairs.length) return null;
  return html("section", { "aria-label": "In words" }, html("h3", {}, pairs.length > 1 ? "Against the runner-up" : "In words"),
    html("div", { class: "sentences" }, pairs.map(([label, role]) => html("figure", {},
      html("figcaption", {}, html("b", {}, label), html("span", { class: "dim" }, ` ${role}`)), html("blockquote", {}, of(label))))));
}
