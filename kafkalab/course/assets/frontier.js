// The live form of the frontier: the points, and sliders whose settings "Measure" runs on the cluster.
const STYLE = `${BASE}
.knobs { display: grid; gap: 4px 20px; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); padding: 6px 16px; }
label { display: grid; grid-template-columns: 1fr 110px 62px; gap: 8px; align-items: center; }
input { width: 100%; accent-color: var(--request); }
.last { padding: 6px 16px 2px; display: flex; gap: 12px; align-items: baseline; }
.last output { flex: 1; min-height: 1.5em; }
[aria-disabled="true"] { opacity: 0.45; cursor: default; }
.error { color: var(--failure); font-weight: 700; }
`;

function render({ model, el }) {
  const picture = element("div");
  const knobs = model.get("knobs");
  const first = model.get("first");
  const sliders = Object.entries(knobs).map(([name, values]) => {
    const slider = element("input", { type: "range", min: 0, max: values.length - 1, step: 1, name });
    slider.value = first[name] ?? 0;
    const value = element("span");
    const say = () => {
      value.textContent = values[slider.value];
      slider.setAttribute("aria-valuetext", value.textContent);
    };
    slider.setAttribute("aria-label", name);
    slider.addEventListener("input", say);
    say();
    const shown = name.replace("_requests_per_connection", "");
    return { slider, label: element("label", {}, [element("span", { textContent: shown }), slider, value]) };
  });
  const button = element("button", { textContent: "Measure" });
  const says = element("output");
  says.setAttribute("aria-live", "polite");
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    model.send({ chosen: Object.fromEntries(sliders.map(({ slider }) => [slider.name, Number(slider.value)])) });
  });
  const parts = [element("div", { className: "knobs" }, sliders.map(({ label }) => label)),
    element("div", { className: "last" }, [button, says])];
  const view = element("div", { className: "view" }, [picture, ...(sliders.length ? parts : [])]);

  const show = () => {
    draw(picture, model);
    button.setAttribute("aria-disabled", model.get("busy"));
    says.textContent = model.get("error") || model.get("status");
    says.classList.toggle("error", Boolean(model.get("error")));
  };
  const watched = "change:drawing change:busy change:status change:error";
  model.on(watched, show);
  show();
  const end = mount(el, view, model.get("colours"));
  return () => { model.off(watched, show); end(); };
}

export default { render };
