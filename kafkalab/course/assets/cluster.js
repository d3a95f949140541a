// The live form of the cluster: the picture, and for each broker buttons that really kill, pause and bring back.
const STYLE = `${BASE}
.brokers { display: grid; gap: 8px; grid-template-columns: repeat(auto-fit, minmax(230px, 1fr)); padding: 6px 16px; }
fieldset { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin: 0; padding: 4px 12px 10px;
  border-radius: 8px; border: 1.5px solid var(--rule); min-width: 0; }
legend { font-weight: 600; padding: 0 6px; }
.last { padding: 2px 16px; display: flex; gap: 12px; align-items: baseline; }
output { flex: 1; min-height: 1.5em; }
[aria-disabled="true"] { opacity: 0.45; cursor: default; }
.error { color: var(--failure); font-weight: 700; }
`;

function render({ model, el }) {
  const picture = element("div");
  const says = element("output");
  says.setAttribute("aria-live", "polite");
  // Not `disabled`: whoever pressed a button by keyboard would lose the place while the order is carried out.
  const ask = (verb, broker) => (event) => {
    if (event.currentTarget.getAttribute("aria-disabled") !== "true") model.send({ verb, broker });
  };
  const button = (text, label, verb, broker) => {
    const made = element("button", { textContent: text });
    made.setAttribute("aria-label", label);
    made.addEventListener("click", ask(verb, broker));
    return made;
  };
  const groups = Object.entries(model.get("verbs")).map(([broker, verbs]) => {
    const buttons = verbs.map((verb) => {
      const made = button(verb, `${verb} broker ${broker}`, verb, Number(broker));
      made.dataset.verb = verb;
      return made;
    });
    const group = element("fieldset", {}, [element("legend", { textContent: `Broker ${broker}` }), ...buttons]);
    group.dataset.broker = broker;
    return group;
  });
  const again = button("Look again", "Look again", "look", 0);
  const view = element("div", { className: "view" }, [picture,
    element("div", { className: "brokers" }, groups),
    element("div", { className: "last" }, [says, again])]);

  const show = () => {
    draw(picture, model);
    const [allowed, busy] = [model.get("allowed"), model.get("busy")];
    for (const group of groups) {
      for (const made of group.querySelectorAll("button")) {
        made.setAttribute("aria-disabled", busy || !(allowed[group.dataset.broker] ?? []).includes(made.dataset.verb));
      }
    }
    again.setAttribute("aria-disabled", busy);
    says.textContent = model.get("error") || model.get("status");
    says.classList.toggle("error", Boolean(model.get("error")));
  };
  const watched = "change:drawing change:allowed change:busy change:status change:error";
  model.on(watched, show);
  show();
  const end = mount(el, view, model.get("colours"));
  return () => { model.off(watched, show); end(); };
}

export default { render };
