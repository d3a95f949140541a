// The live form of a picture: point at a part, or go through the parts with the slider, and read what it is.
//
// The picture is one image to a screen reader; the slider says its parts. A film is drawn anew, by the kernel,
// for every step.
const STYLE = `${BASE}
.picture.tall { max-height: 560px; overflow-y: auto; border-bottom: 1px solid var(--rule); }
.picture:focus-visible { outline: 3px solid var(--request); outline-offset: 2px; }
[data-part] { cursor: pointer; }
.hit { pointer-events: all; }
.on > .hit, .on > .lane { fill: var(--lane); stroke: var(--request); stroke-width: 2; }
.on > rect:not(.hit):not(.lane), .on > circle, .on > polygon { stroke: var(--request); stroke-width: 3; }
.later { opacity: 0.12; }
.controls { display: flex; gap: 10px; align-items: center; padding: 6px 16px; }
.controls input { flex: 1; min-width: 60px; accent-color: var(--request); height: 24px; margin: 0; }
output { display: block; min-height: 3em; padding: 2px 16px; }
.dump { font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  padding: 6px 16px; overflow-x: auto; white-space: pre; }
.dump .at { color: var(--muted); }
.dump .run { border-radius: 3px; }
.dump .run.on { background: var(--request); color: var(--ground); }
`;

const WIDTH = 16;
const TALL = 700;

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

function reveal(picture, part) {
  const [frame, box] = [picture.getBoundingClientRect(), part.getBoundingClientRect()];
  if (box.top < frame.top) picture.scrollTop -= frame.top - box.top + 40;
  if (box.bottom > frame.bottom) picture.scrollTop += box.bottom - frame.bottom + 40;
}

function render({ model, el }) {
  const details = model.get("details");
  const picture = element("div", { className: "picture" });
  draw(picture, model);
  const height = Number(picture.querySelector("svg").getAttribute("height"));
  if (height > TALL) { // it scrolls by itself, so that slider and words stay in sight
    picture.classList.add("tall");
    picture.tabIndex = 0;
    picture.setAttribute("role", "group");
    picture.setAttribute("aria-label", "The picture, which scrolls");
  }
  const bytes = model.get("bytes");
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
  const show = (shown, stepping, far = stepping) => {
    parts.forEach((part) => {
      const number = Number(part.dataset.part) + 1;
      part.classList.toggle("on", number === shown);
      part.classList.toggle("later", stepping && model.get("unfolds") && shown > 0 && number > shown);
    });
    if (far && shown) reveal(picture, parts.find((part) => part.classList.contains("on")) ?? picture);
    slider.value = shown;
    const words = shown ? details[shown - 1] : model.get("hint");
    slider.setAttribute("aria-valuetext", words);
    says.textContent = words;
    back.disabled = shown === 0;
    on.disabled = shown === details.length;
    if (model.get("redraws") && model.get("shown") !== shown) {
      model.set("shown", shown);
      model.save_changes();
    }
  };
  const step = (by) => show(Math.min(Math.max(Number(slider.value) + by, 0), details.length), true);
  let last = "";
  const point = (event) => {
    const [part, place] = [event.target.closest?.("[data-part]"), `${event.clientX} ${event.clientY}`];
    // Scrolling is no pointing. Who points at bytes wants to see their field.
    if (part && place !== last) show(Number(part.dataset.part) + 1, false, !picture.contains(part));
    last = place;
  };
  view.addEventListener("pointermove", point);
  view.addEventListener("click", point);
  slider.addEventListener("input", () => step(0));
  back.addEventListener("click", () => step(-1));
  on.addEventListener("click", () => step(1));
  const redraw = () => draw(picture, model);
  model.on("change:drawing", redraw);
  show(0, false);
  const end = mount(el, view, model.get("colours"));
  return () => { model.off("change:drawing", redraw); end(); };
}

export default { render };
