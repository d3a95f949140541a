// The live form of a picture: point at a part, or go through the parts with the slider, and read what it is.
//
// Lives in a shadow root, so that the picture's own style sheet reaches nothing else on the page. Colours come
// from the course's palette and follow the theme of JupyterLab, or else that of the system. The picture is one
// image to a screen reader; the slider says its parts.
function element(name, properties = {}, children = []) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const STYLE = `
.view { font-family: system-ui, sans-serif; font-size: 14px; line-height: 1.5; color: var(--ink);
  background: var(--ground); border-radius: 10px; max-width: 860px; padding-bottom: 8px; }
svg { display: block; max-width: 100%; height: auto; }
.picture.tall { max-height: 560px; overflow-y: auto; border-bottom: 1px solid var(--rule); }
[data-part] { cursor: pointer; }
.hit { pointer-events: all; }
.on > .hit, .on > .lane { fill: var(--lane); stroke: var(--request); stroke-width: 2; }
.later { opacity: 0.12; }
.controls { display: flex; gap: 10px; align-items: center; padding: 6px 16px; }
.controls input { flex: 1; min-width: 60px; accent-color: var(--request); height: 24px; margin: 0; }
button { font: inherit; padding: 3px 12px; border-radius: 6px; border: 1.5px solid var(--broker);
  background: var(--broker-wash); color: var(--ink); cursor: pointer; }
button:disabled { opacity: 0.45; cursor: default; }
button:focus-visible, input:focus-visible, .picture:focus-visible { outline: 3px solid var(--request); outline-offset: 2px; }
output { display: block; min-height: 3em; padding: 2px 16px; }
.dump { font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  padding: 6px 16px; overflow-x: auto; white-space: pre; }
.dump .at { color: var(--muted); }
.dump .run { border-radius: 3px; }
.dump .run.on { background: var(--request); color: var(--ground); }
`;

const WIDTH = 16;
const TALL = 700;
const KEYS = /^(Arrow.*|Home|End|Page.*|Enter| )$/;

// Rows of sixteen bytes, each cut into runs of one part.
function dump(hex, ranges, leftOut) {
  const size = hex.length / 2;
  const starts = Array.from({ length: Math.ceil(size / WIDTH) }, (_, row) => row * WIDTH);
  const rows = starts.map((start) => {
    const runs = ranges.filter(([, from, to]) => from < start + WIDTH && to > start).map(([part, from, to]) => {
      const [begin, end] = [Math.max(from, start), Math.min(to, start + WIDTH, size)];
      const digits = hex.slice(2 * begin, 2 * end).match(/../g) ?? [];
      const run = element("span", { className: "run", textContent: digits.join(" ") });
      run.dataset.part = part;
      return run;
    });
    const spaced = runs.flatMap((run) => [" ", run]);
    return element("div", {}, [element("span", { className: "at", textContent: `${start}`.padStart(5) }), " ", ...spaced]);
  });
  const rest = leftOut ? [element("div", { className: "at", textContent: `      and ${leftOut} more bytes` })] : [];
  const box = element("div", { className: "dump" }, [...rows, ...rest]);
  box.setAttribute("aria-hidden", "true"); // the slider says the same
  return box;
}

function followTheme(view, colours) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const light = document.body.dataset.jpThemeLight;
    const dark = light === undefined ? system.matches : light === "false";
    const targets = [view, ...view.querySelectorAll("svg")];
    for (const [name, pair] of Object.entries(colours)) {
      targets.forEach((target) => target.style.setProperty(`--${name}`, pair[dark ? 1 : 0]));
    }
  };
  const observer = new MutationObserver(paint);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", paint);
  paint();
  return () => {
    observer.disconnect();
    system.removeEventListener("change", paint);
  };
}

function reveal(picture, part) {
  const [frame, box] = [picture.getBoundingClientRect(), part.getBoundingClientRect()];
  if (box.top < frame.top) picture.scrollTop -= frame.top - box.top + 40;
  if (box.bottom > frame.bottom) picture.scrollTop += box.bottom - frame.bottom + 40;
}

function render({ model, el }) {
  const details = model.get("details");
  const picture = element("div", { className: "picture", innerHTML: model.get("drawing") });
  const svg = picture.querySelector("svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", model.get("alt"));
  const bytes = model.get("bytes");
  if (Number(svg.getAttribute("height")) > TALL) { // it scrolls by itself, so that slider and words stay in sight
    picture.classList.add("tall");
    picture.tabIndex = 0;
    picture.setAttribute("role", "group");
    picture.setAttribute("aria-label", "The picture, which scrolls");
  }
  const says = element("output");
  says.setAttribute("aria-live", "polite");
  const slider = element("input", { type: "range", min: 0, max: details.length, value: 0 });
  slider.setAttribute("aria-label", model.get("noun"));
  const [back, on] = [element("button", { textContent: "Back" }), element("button", { textContent: "Next" })];
  const controls = element("div", { className: "controls" }, [back, slider, on]);
  const view = element("div", { className: "view" },
    [picture, controls, says, ...(bytes ? [dump(bytes, model.get("ranges"), model.get("left_out"))] : [])]);
  const parts = [...view.querySelectorAll("[data-part]")];

  // `shown` counts from 1; 0 is the whole picture. Stepping hides what comes later; pointing hides nothing.
  const show = (shown, stepping) => {
    parts.forEach((part) => {
      const number = Number(part.dataset.part) + 1;
      part.classList.toggle("on", number === shown);
      part.classList.toggle("later", stepping && model.get("unfolds") && shown > 0 && number > shown);
    });
    if (stepping && shown) reveal(picture, parts.find((part) => part.classList.contains("on")));
    slider.value = shown;
    const words = shown ? details[shown - 1] : model.get("hint");
    slider.setAttribute("aria-valuetext", words);
    says.textContent = words;
    back.disabled = shown === 0;
    on.disabled = shown === details.length;
  };
  const step = (by) => show(Math.min(Math.max(Number(slider.value) + by, 0), details.length), true);
  let last = "";
  const point = (event) => {
    const [part, place] = [event.target.closest?.("[data-part]"), `${event.clientX} ${event.clientY}`];
    if (part && place !== last) show(Number(part.dataset.part) + 1, false); // scrolling is no pointing
    last = place;
  };
  view.addEventListener("pointermove", point);
  view.addEventListener("click", point);
  slider.addEventListener("input", () => step(0));
  // JupyterLab sees the shadow root's host in place of the slider, and would take the arrows for its own.
  view.addEventListener("keydown", (event) => { if (KEYS.test(event.key)) event.stopPropagation(); });
  back.addEventListener("click", () => step(-1));
  on.addEventListener("click", () => step(1));
  show(0, false);
  el.attachShadow({ mode: "open" }).append(element("style", { textContent: STYLE }), view);
  return followTheme(view, model.get("colours"));
}

export default { render };
