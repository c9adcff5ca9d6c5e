// Correcting labels: a form for the selected action, the list of all, and what to take home.

import { button, clockTime, counted, html, percent, saveFile } from "./dom.js";
import { UNKNOWN } from "./labels.js";

/** The form and the list; all changes go through `actions`. */
export class Editor {
  #fields = null;
  #id = null;
  #fps = 1;

  /**
   * @param {{looks: import("./theme.js").Looks, actions: Record<"change"|"split"|"remove"|"add"|"undo"|"redo"|"select"|"toStart"|"toEnd", Function>}} options
   */
  constructor({ looks, actions }) {
    this.looks = looks;
    this.actions = actions;
    this.form = html("form", { class: "editor", "aria-label": "Correct the selected action", on: { submit: (event) => event.preventDefault() } });
    this.list = html("div", { class: "list" });
    this.undoButton = button("undo", null, () => actions.undo(), { class: "icon", "aria-label": "Undo", title: "Undo (Ctrl+Z)" });
    this.redoButton = button("redo", null, () => actions.redo(), { class: "icon", "aria-label": "Redo", title: "Redo (Ctrl+Shift+Z)" });
    this.history = html("div", { class: "group", role: "group", "aria-label": "Undo and redo" }, this.undoButton, this.redoButton);
    this.names = html("datalist", { id: "class-names" });
    this.#build();
  }

  /** Take the names of the classes that can be chosen. */
  setClasses(names) {
    this.names.replaceChildren(...names.map((name) => html("option", { value: name })));
  }

  /** @param {{labels: import("./labels.js").Labels, recording: import("./recording.js").Recording, selected: number|null}} content */
  show({ labels, recording, selected }) {
    this.undoButton.disabled = !labels.canUndo;
    this.redoButton.disabled = !labels.canRedo;
    this.#form(labels.find(selected), recording);
    this.#table(labels, recording, selected);
  }

  /** Put the cursor into the field of the label. */
  focusLabel() {
    this.#fields?.label.focus();
    this.#fields?.label.select();
  }

  /** Whether somebody types into the form. */
  get isTyping() { return this.form.contains(document.activeElement) && document.activeElement.tagName === "INPUT"; }

  #build() {
    const { actions } = this;
    const label = html("input", {
      name: "label", list: "class-names", autocomplete: "off", spellcheck: "false", maxlength: 200,
      on: { change: () => label.value.trim() && actions.change(this.#id, { label: label.value }) },
    });
    const time = (side) => {
      const control = html("input", {
        name: side, type: "number", step: "any", min: 0,
        on: { change: () => Number.isFinite(control.valueAsNumber) && actions.change(this.#id, { [side]: control.valueAsNumber * this.#fps }) },
      });
      return control;
    };
    const tools = [
      button(null, "From here", () => actions.toStart(), { title: "Let it begin where the playhead is ([)" }),
      button(null, "To here", () => actions.toEnd(), { title: "Let it end where the playhead is (])" }),
      button("split", "Split", () => actions.split(), { title: "Split it where the playhead is (S)" }),
      button("remove", "Delete", () => actions.remove(), { title: "Delete it (Delete)" }),
    ];
    const add = button("add", "Add", () => actions.add(), { title: "Add an action where the playhead is (N)" });
    this.#fields = { label, start: time("start"), end: time("end"), tools };
    const { start, end } = this.#fields;
    this.form.replaceChildren(
      html("label", { class: "wide" }, html("span", {}, "Action"), label), html("label", {}, html("span", {}, "From, s"), start), html("label", {}, html("span", {}, "To, s"), end),
      html("div", { class: "tools" }, tools, add), this.names);
  }

  /** Fill the form; its fields stay the same elements, so that whoever is in one stays there. */
  #form(item, recording) {
    const { label, start, end, tools } = this.#fields;
    this.#id = item?.id ?? null;
    this.#fps = recording.fps;
    for (const control of [label, start, end, ...tools]) control.disabled = !item;
    label.value = !item || item.label === UNKNOWN ? "" : item.label;
    label.placeholder = item?.label === UNKNOWN ? "What is it?" : "";
    for (const [control, frame] of [[start, item?.start], [end, item?.end]]) {
      control.max = recording.seconds.toFixed(3);
      control.value = item ? (frame / recording.fps).toFixed(2) : "";
    }
  }

  #table(labels, recording, selected) {
    const several = new Set(labels.items.map((item) => item.person)).size > 1;
    if (!labels.items.length) {
      this.list.replaceChildren(html("p", { class: "dim" }, "No action was found. Move the playhead and add one, if there is any."));
      return;
    }
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.row : null;
    this.list.replaceChildren(html("table", {},
      html("caption", { class: "unseen" }, "All actions"),
      html("thead", {}, html("tr", {}, ["Action", several && "Person", "From", "To", "Score"].filter(Boolean).map((name) => html("th", { scope: "col" }, name)))),
      html("tbody", {}, labels.items.map((item) => html("tr", { class: item.id === selected ? "selected" : null },
        html("td", {}, html("button", { type: "button", class: "plain", "data-row": item.id, "aria-current": item.id === selected ? "true" : null, on: { click: () => this.actions.select(item.id) } },
          html("span", { class: `swatch${item.label === UNKNOWN ? " unknown" : ""}`, "aria-hidden": "true", style: item.label === UNKNOWN ? {} : { "--class": `var(${this.looks.ofClass(item.label).variable})` } }), html("span", { class: "text" }, item.label))),
        several ? html("td", {}, item.person) : null,
        html("td", {}, clockTime(item.start / recording.fps)), html("td", {}, clockTime(item.end / recording.fps)),
        html("td", {}, item.score === null ? html("span", { class: "own" }, "yours") : percent(item.score), item.origin === "corrected" && item.score !== null ? html("span", { class: "own" }, " edited") : null))))));
    if (focused) this.list.querySelector(`[data-row="${focused}"]`)?.focus();
  }
}

/**
 * Return the buttons that save labels, keypoints and the whole answer.
 * @param {() => {labels: import("./labels.js").Labels, recording: import("./recording.js").Recording, prediction: object|null, file: string, fromVideo: boolean, guessedRate: boolean}} current
 */
export function savePanel(current) {
  const unit = html("select", {}, html("option", { value: "seconds" }, "seconds"), html("option", { value: "frames" }, "frames"));
  const note = html("p", { class: "dim small" });
  const saveLabels = () => {
    const { labels, recording, file } = current();
    const table = labels.csv(file, unit.value === "seconds" ? recording.fps : null);
    saveFile(`${stem(file)}.labels.csv`, table, "text/csv");
  };
  const saveKeypoints = () => {
    const { recording, file } = current();
    saveFile(`${stem(file)}.json`, recording.toJson(stem(file)), "application/json");
  };
  const saveAnswer = () => {
    const { prediction, file } = current();
    saveFile(`${stem(file)}.prediction.json`, JSON.stringify(prediction, null, 1), "application/json");
  };
  const keypoints = button("save", "Keypoints (JSON)", saveKeypoints), answer = button("save", "Answer (JSON)", saveAnswer);
  const box = html("div", { class: "save" },
    html("p", { class: "small" }, "Correct what is wrong and download the labels: ", html("code", {}, "skeletonagent data import"), " takes them, and the next training knows better."),
    html("div", { class: "tools" }, button("save", "Labels (CSV)", saveLabels, { class: "primary" }), html("label", { class: "inline" }, "times in ", unit), keypoints, answer), note);
  const refresh = () => {
    const { labels, prediction, file, fromVideo } = current();
    answer.hidden = !prediction;
    const left = labels.unlabelled ? `${counted(labels.unlabelled, "unknown action")} without a label ${labels.unlabelled === 1 ? "is" : "are"} left out of the table. ` : "";
    note.textContent = left + (fromVideo ? `The table names ${file}: download the keypoints too, and keep both files in one folder.` : "");
    note.hidden = !note.textContent;
  };
  const reset = () => { unit.value = current().guessedRate ? "frames" : "seconds"; refresh(); };
  return { box, refresh, reset };
}

const stem = (file) => file.replace(/\.[^.]+$/, "") || file;
