// Dark and light: as the system says, until the switch says otherwise; colours of the style sheet.

const KEPT = "skeletonagent-theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];
const colours = new Map();

/** Number of colours that classes and persons may have. */
export const CLASS_COLOURS = 8;

/** Return a colour of the style sheet. */
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(root).getPropertyValue(name).trim());
  return colours.get(name);
}

/** Call a function at every change of the theme. */
export function onTheme(listener) {
  listeners.push(listener);
}

export function isDark() { return root.dataset.theme === "dark"; }

function apply(dark) {
  root.dataset.theme = dark ? "dark" : "light";
  colours.clear();
  listeners.forEach((listener) => listener());
}

function kept() {
  try { return localStorage.getItem(KEPT); } catch { return null; }
}

/** Follow the system and the switch. */
export function startTheme(button) {
  const chosen = kept();
  apply(chosen ? chosen === "dark" : system.matches);
  system.addEventListener("change", () => { if (!kept()) apply(system.matches); });
  button.addEventListener("click", () => {
    apply(!isDark());
    try { localStorage.setItem(KEPT, isDark() ? "dark" : "light"); } catch { /* nothing is kept: it lasts as long as the page */ }
  });
}

/** Colours of classes and looks of persons, given out in the order in which they are asked for. */
export class Looks {
  #classes = new Map();
  #persons = new Map();

  /** Return number and dashes of a class. */
  ofClass(label) {
    if (!this.#classes.has(label)) this.#classes.set(label, this.#classes.size);
    const number = this.#classes.get(label);
    return { variable: `--c${1 + (number % CLASS_COLOURS)}`, dashes: CLASS_DASHES[Math.floor(number / CLASS_COLOURS) % CLASS_DASHES.length] };
  }

  /** Return number, colour and dashes of a person. */
  ofPerson(person) {
    if (!this.#persons.has(person)) this.#persons.set(person, this.#persons.size);
    const number = this.#persons.get(person);
    const place = 1 + (number % PERSON_DASHES.length);
    return { number, variable: `--p${place}`, over: `--o${place}`, dashes: PERSON_DASHES[number % PERSON_DASHES.length] };
  }
}

const CLASS_DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const PERSON_DASHES = [[], [8, 5], [2, 5], [12, 4, 2, 4]];
