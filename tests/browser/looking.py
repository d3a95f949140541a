"""To look at what is shown: notebooks made for a test, screenshots, contrast, accessibility."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator

from .driver import Browser

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "browser"
OURS = ".jp-OutputArea-output"
SERIOUS = {"serious", "critical"}
BOTH = pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
"""Every view is looked at in the light in `make test`, and in CI in the dark as well."""


# Texts in our outputs whose colour is less than 4.5:1 from the ground behind them (stock tools skip Lab's).
FAINT = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const curve = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const linear = part => curve(part / 255);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = node => {
    for (; node; node = node.parentElement ?? node.getRootNode().host) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const within = root => [...root.querySelectorAll('*')].flatMap(
    node => node.shadowRoot ? [node, ...within(node.shadowRoot)] : [node]);
  const outputs = [...document.querySelectorAll('.jp-OutputArea-output')];
  // A picture's own texts are checked where its colours are defined (tests/course/test_views.py).
  const texts = outputs.flatMap(within).filter(node => node.tagName !== 'STYLE' && !node.closest('svg')
    && [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
  return texts.map(node => {
    const both = [parse(getComputedStyle(node).color), ground(node)].map(luminance);
    const [light, dark] = both.sort((a, b) => b - a);
    return [node.textContent.trim().slice(0, 40), (light + 0.05) / (dark + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""


def photograph(browser: Browser, name: str) -> None:
    """Keep what a learner sees: one picture for each screenful of the notebook."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    panel = browser.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").first
    screenful = panel.evaluate("node => node.clientHeight")
    for (
        number
    ) in itertools.count():  # the notebook grows while it is looked at: cells are drawn when in sight
        panel.evaluate("(node, top) => node.scrollTo(0, top)", number * screenful)
        browser.page.wait_for_timeout(400)
        browser.page.screenshot(path=ARTIFACTS / f"{name}-{number:02}.png")
        if panel.evaluate("node => node.scrollTop + node.clientHeight + 2 > node.scrollHeight"):
            break


def view(browser: Browser, number: int) -> Locator:
    """Return the live view number `number` of the notebook, from 0."""
    return browser.page.locator(".jp-OutputArea-output .view").nth(number)


def says(shown: Locator) -> Locator:
    """Return the line in which a view says what is pointed at, and what happens."""
    return shown.get_by_role("status")


def portrait(browser: Browser, shown: Locator, name: str, scheme: str) -> None:
    """Keep a picture of one view."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    shown.scroll_into_view_if_needed()
    browser.page.wait_for_timeout(300)
    shown.screenshot(path=ARTIFACTS / f"{name}-{scheme}.png")


def barriers(browser: Browser) -> list[tuple[str, str]]:
    """Return the serious violations that axe-core finds inside our outputs: rule and element."""
    found: list[Any] = Axe().run(browser.page, OURS).response["violations"]
    return [
        (rule["id"], node["html"][:200])
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def errors(browser: Browser) -> list[str]:
    """Return the names of the exceptions that cells raised."""
    outputs = [output for cell in browser.cells() for output in cell.get("outputs", ())]
    return [output["ename"] for output in outputs if output["output_type"] == "error"]


def run(browser: Browser, copy: Path, cells: list[str]) -> None:
    """Open a new notebook with these cells in the lab, and run it."""
    (copy / "scratch.ipynb").write_text(json.dumps(scratch(cells)))
    browser.open("/lab/tree/scratch.ipynb?reset")
    assert browser.run_all(), errors(browser)


def scratch(cells: list[str]) -> dict[str, object]:
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    built = [{**code, "id": f"cell-{number}", "source": source} for number, source in enumerate(cells)]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": built, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
