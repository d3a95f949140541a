"""A learner's first minutes: the lab opens on chapter 00, cells run, an answer is kept, saving is clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafkalab.course import chapters, workcopy

from .driver import Browser
from .looking import ARTIFACTS, BOTH, FAINT, barriers, errors, photograph, run, scratch

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(420)]

FIRST = chapters.CHAPTERS[0].notebook
EXISTING = [entry.notebook for entry in chapters.CHAPTERS if (workcopy.source() / entry.notebook).exists()]


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


@BOTH
def test_cards_are_readable_in_both_themes(browser: Browser, copy: Path, scheme: str) -> None:
    cells = [
        'from kafkalab.course import Chapter, CourseMap, cluster_picture\nlab = Chapter("01")\nlab',
        'lab.predict("who", "Which is it?", ["this", "that"])',
        'lab.claim("4.1.1-round-robin", True, evidence="24 of 24 went to one partition.")',
        'lab.exercise("interceptor").check(None)',
        'cluster_picture(lab.cluster, lab.topic("scratch", partitions=2))',
        "CourseMap()",
    ]
    run(browser, copy, cells)
    photograph(browser, f"cards-{scheme}")
    faint = browser.page.evaluate(FAINT)
    assert faint == []
    assert barriers(browser) == []
