"""A learner's first minutes: the lab opens on chapter 00, cells run, an answer is kept, saving is clean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkalab.course import chapters, workcopy

from .driver import Browser, chromium, lab_server

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(420)]

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "browser"
FIRST = chapters.CHAPTERS[0].notebook
EXISTING = [entry.notebook for entry in chapters.CHAPTERS if (workcopy.source() / entry.notebook).exists()]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture
def scheme() -> str:
    return "light"


@pytest.fixture
def browser(tmp_path: Path, copy: Path, scheme: str, cluster: object) -> Iterator[Browser]:
    with lab_server(copy, tmp_path) as base, chromium(base, scheme) as opened:
        yield opened


# Texts in our outputs whose colour is less than 4.5:1 from the ground behind them (stock tools skip Lab's).
FAINT = """() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const curve = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const linear = part => curve(part / 255);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('.jp-OutputArea-output *')].filter(
    node => [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim()));
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
    height = panel.evaluate("node => node.scrollHeight")
    screenful = panel.evaluate("node => node.clientHeight")
    for number, top in enumerate(range(0, height, screenful)):
        panel.evaluate("(node, top) => node.scrollTo(0, top)", top)
        browser.page.wait_for_timeout(400)
        browser.page.screenshot(path=ARTIFACTS / f"{name}-{number:02}.png")


def errors(browser: Browser) -> list[str]:
    outputs = [output for cell in browser.cells() for output in cell.get("outputs", ())]
    return [output["ename"] for output in outputs if output["output_type"] == "error"]


# One chapter shows that chapters run here; all of them are for CI.
CHAPTERS = [EXISTING[0], *(pytest.param(name, marks=pytest.mark.slow) for name in EXISTING[1:])]


@pytest.mark.parametrize("notebook", CHAPTERS)
def test_a_chapter_runs_in_the_browser(browser: Browser, notebook: str) -> None:
    browser.open(f"/lab/tree/{notebook}?reset")
    assert all(not cell.get("outputs") for cell in browser.cells())
    assert browser.run_all(), errors(browser)
    photograph(browser, notebook.removesuffix(".ipynb"))
    assert errors(browser) == []
    assert all(cell["execution_count"] for cell in browser.cells() if cell["cell_type"] == "code")
    assert browser.page.locator(".jp-Dialog").count() == 0
    assert browser.page.locator(".jp-OutputArea img:not([alt])").count() == 0
    assert browser.outside == []


def test_the_lab_opens_on_chapter_00(browser: Browser) -> None:
    browser.open("/")
    assert browser.page.url.endswith(f"/lab/tree/{FIRST}")


def test_an_answer_is_kept_and_saving_is_clean(browser: Browser, copy: Path) -> None:
    cells = [
        'from kafkalab.course import Chapter\nlab = Chapter("00")\nlab',
        'lab.predict("who", "Which is it?", ["this", "that"])',
        'lab.observe("who", correct="that", because="So it is.")',
    ]
    path = copy / "scratch.ipynb"
    path.write_text(json.dumps(scratch(cells)))
    browser.open("/lab/tree/scratch.ipynb?reset")
    assert browser.run_all()
    radio = browser.page.get_by_role("radio", name="that")
    radio.focus()
    radio.press("Space")
    browser.page.get_by_text("Kept. Now run the experiment").wait_for()
    assert browser.run_all()
    browser.page.get_by_text("As you predicted").wait_for()
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    browser.page.screenshot(path=ARTIFACTS / "predict.png")
    kept = json.loads((copy / ".kafkalab" / "progress.json").read_text())
    assert kept["00/predict/who"] == "that"
    browser.save()
    saved = path.read_text()
    assert "widget-view" not in saved
    assert "Predict: Which is it?" in saved


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cards_are_readable_in_both_themes(browser: Browser, copy: Path, scheme: str) -> None:
    cells = [
        'from kafkalab.course import Chapter, CourseMap, cluster_picture\nlab = Chapter("01")\nlab',
        'lab.predict("who", "Which is it?", ["this", "that"])',
        'lab.claim("4.1.1-round-robin", True, evidence="24 of 24 went to one partition.")',
        'lab.exercise("interceptor").check(None)',
        'cluster_picture(lab.cluster, lab.topic("scratch", partitions=2))',
        "CourseMap()",
    ]
    (copy / "scratch.ipynb").write_text(json.dumps(scratch(cells)))
    browser.open("/lab/tree/scratch.ipynb?reset")
    assert browser.run_all()
    photograph(browser, f"cards-{scheme}")
    faint = browser.page.evaluate(FAINT)
    assert faint == []


def scratch(cells: list[str]) -> dict[str, object]:
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    built = [{**code, "id": f"cell-{number}", "source": source} for number, source in enumerate(cells)]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": built, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
