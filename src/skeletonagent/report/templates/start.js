// Draw all sections, one after another, then follow the run if it is still going on.

/** Return the joints that the agents chose for a class, in their latest round. */
report.chosen = (label) => new Set(report.joints ? report.joints[label] : []);

const DRAWN = {
  accuracy: drawAccuracy, curves: drawCurves, classes: drawClasses, matrix: drawMatrix,
  agents: drawAgents, topologies: drawTopologies, embedding: drawEmbedding, player: drawPlayer,
  record: drawRecord,
};

const pause = () => new Promise((resolve) => setTimeout(resolve));

async function drawAll() {
  for (const [name, draw] of Object.entries(DRAWN)) {
    const data = report.sections[name];
    if (!data) continue;
    const place = document.querySelector(`#${name} .body`);
    try {
      await draw(place, data);
    } catch (error) {
      console.error(name, error);
      place.replaceChildren(html("p", { class: "missing" }, "This part cannot be drawn in this browser."));
    }
    await pause();
  }
  root.dataset.drawn = "yes";
}

function followSections() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      links.forEach((link, name) => (name === target.id ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  document.querySelectorAll("section").forEach((section) => seen.observe(section));
}

const CONTROLS = "select[id], input[id]";

/** Remember where the reader is and what is chosen, for the next version of the page. */
function remember() {
  const chosen = [...document.querySelectorAll(CONTROLS)].map(({ id, type, value, checked }) => [id, type === "checkbox" ? checked : value]);
  sessionStorage.setItem("reader", JSON.stringify({ top: scrollY, chosen }));
}

function recall() {
  const { top, chosen } = JSON.parse(sessionStorage.getItem("reader") || "{}");
  sessionStorage.removeItem("reader");
  for (const [id, value] of chosen || []) {
    const control = document.getElementById(id);
    // Sliders over time belong at the newest end.
    if (!control || control.type === "range") continue;
    if (control.type === "checkbox") control.checked = value;
    else if (control.tagName !== "SELECT" || [...control.options].some((option) => option.value === value)) control.value = value;
    control.dispatchEvent(new Event(control.type === "search" ? "input" : "change"));
  }
  if (top !== undefined) scrollTo({ top, behavior: "instant" });
}

const SECONDS_BETWEEN = 4;

async function follow() {
  const state = document.querySelector(".live");
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * SECONDS_BETWEEN));
    try {
      const answer = await fetch(location.pathname, { cache: "no-cache" });
      await answer.body?.cancel();
      state.textContent = answer.ok ? "live" : "a file is being written";
      if (answer.ok && answer.headers.get("ETag") !== `"${report.version}"`) {
        remember();
        location.reload();
        return;
      }
    } catch {
      state.textContent = "not reached, trying again";
    }
    state.classList.toggle("lost", state.textContent !== "live");
  }
}

followSections();
await drawAll();
if (report.live) {
  history.scrollRestoration = "manual";
  recall();
  follow();
}
