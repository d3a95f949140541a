// The live form of a prediction: real radio buttons in a fieldset, and a status line that is read aloud.
function element(name, properties = {}, children = []) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const STYLE = `
.kafkalab-predict { border-left: 4px solid #8a6fd1; padding: 4px 14px; margin: 4px 0;
  font-family: var(--jp-content-font-family, sans-serif); font-size: var(--jp-content-font-size1, 14px);
  line-height: 1.6; color: var(--jp-content-font-color1, inherit); }
.kafkalab-predict fieldset { border: 0; margin: 0; padding: 0; }
.kafkalab-predict legend { font-weight: 600; padding: 4px 0; color: inherit; }
.kafkalab-predict label { display: block; padding: 3px 6px; border-radius: 4px; cursor: pointer; }
.kafkalab-predict label:hover { background: var(--jp-layout-color2, #eee); }
.kafkalab-predict label:focus-within { outline: 2px solid #8a6fd1; outline-offset: -1px; }
.kafkalab-predict input { margin: 0 8px 0 0; }
.kafkalab-predict output { display: block; min-height: 1.6em; padding-top: 4px; }
`;

function render({ model, el }) {
  const group = `kafkalab-${model.get("name")}-${Math.random().toString(36).slice(2)}`;
  const status = element("output");
  status.setAttribute("aria-live", "polite");
  const inputs = model.get("options").map((text, index) => {
    const input = element("input", { type: "radio", name: group, value: text });
    input.addEventListener("change", () => {
      model.set("answer", index);
      model.save_changes();
    });
    return input;
  });
  const labels = inputs.map((input) => element("label", {}, [input, input.value]));
  const update = () => {
    const answer = model.get("answer");
    inputs.forEach((input, index) => { input.checked = index === answer; });
    status.textContent = answer < 0
      ? "Choose before you run the next cell; there is no penalty for being wrong."
      : "Kept. Now run the experiment and compare.";
  };
  model.on("change:answer", update);
  update();
  const legend = element("legend", { textContent: `Predict: ${model.get("question")}` });
  const fieldset = element("fieldset", {}, [legend, ...labels]);
  el.append(element("style", { textContent: STYLE }),
    element("div", { className: "kafkalab-predict" }, [fieldset, status]));
  return () => model.off("change:answer", update);
}

export default { render };
