// What the live views share; the course puts it in front of each view's own script.
//
// A view lives in a shadow root, so that its style sheet reaches nothing else on the page. Its colours come from
// the course's palette and follow the theme of JupyterLab, or else that of the system.
function element(name, properties = {}, children = []) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const BASE = `
.view { font-family: system-ui, sans-serif; font-size: 14px; line-height: 1.5; color: var(--ink);
  background: var(--ground); border-radius: 10px; max-width: 860px; padding-bottom: 8px; }
svg { display: block; max-width: 100%; height: auto; }
button { font: inherit; padding: 3px 12px; border-radius: 6px; border: 1.5px solid var(--broker);
  background: var(--broker-wash); color: var(--ink); cursor: pointer; }
button:disabled { opacity: 0.45; cursor: default; }
button:focus-visible, input:focus-visible { outline: 3px solid var(--request); outline-offset: 2px; }
`;

const KEYS = /^(Arrow.*|Home|End|Page.*|Enter| )$/;

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

// Show the model's drawing, in the colours of the one it replaces.
function draw(picture, model) {
  const colours = picture.querySelector("svg")?.style.cssText ?? "";
  picture.innerHTML = model.get("drawing");
  const svg = picture.querySelector("svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", model.get("alt"));
  svg.style.cssText = colours;
}

// Show `view` in a shadow root of its own; returns what ends it.
function mount(el, view, colours) {
  // JupyterLab sees the shadow root's host in place of the slider, and would take the arrows for its own.
  view.addEventListener("keydown", (event) => { if (KEYS.test(event.key)) event.stopPropagation(); });
  el.attachShadow({ mode: "open" }).append(element("style", { textContent: STYLE }), view);
  return followTheme(view, colours);
}
