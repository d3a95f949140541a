"""The index in the lab: where the learner is, links that open chapters, the file to hand in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from kafkalab.course import chapters

from .driver import Browser
from .looking import ARTIFACTS, BOTH, FAINT, barriers, errors, photograph

pytestmark = [pytest.mark.browser, pytest.mark.cluster, pytest.mark.timeout(420)]

INDEX = chapters.find("A0").notebook
TAKEN = {
    "01/done": True,
    "02/claim/4.2.6-metadata": True,
    "02/exercise/partitioner": "correct",
    "02/passed/partitioner": "2026-11-25",
    "02/exercise/serializer": "wrong",
    "02/happened/burst": "one",
    "02/happened/twenty": "three",
    "02/predict/burst": "one",
    "02/predict/twenty": "twenty",
}


@BOTH
def test_the_index_shows_the_way_and_what_was_shown(browser: Browser, copy: Path, scheme: str) -> None:
    (copy / ".kafkalab" / "progress.json").write_text(json.dumps(TAKEN))
    browser.open(f"/lab/tree/{INDEX}?reset")
    assert browser.run_all(), errors(browser)
    photograph(browser, f"index-{scheme}")
    shown = json.dumps([cell.get("outputs") for cell in browser.cells()])
    for entry in chapters.CHAPTERS:
        assert entry.notebook in shown
    assert "Nothing yet" not in shown
    assert browser.page.evaluate(FAINT) == []
    assert barriers(browser) == []
    assert browser.outside == []
    look_at_the_file(browser, copy / "kafkalab-summary.html", scheme)
    link = browser.page.get_by_role("link", name="02 Workflow").first
    link.focus()
    link.press("Enter")
    browser.page.get_by_role("tab", name=chapters.find("02").notebook).wait_for()


def look_at_the_file(lab: Browser, path: Path, scheme: Any) -> None:
    """Open the exported file as a teacher does: by itself, without the lab."""
    chromium = lab.page.context.browser
    assert chromium is not None
    page = chromium.new_page(viewport={"width": 1000, "height": 900}, color_scheme=scheme)
    alone = Browser(page, "file://")
    page.goto(path.as_uri())
    page.screenshot(path=ARTIFACTS / f"summary-{scheme}.png", full_page=True)
    assert "02 Workflow" in page.inner_text("body")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [rule["id"] for rule in Axe().run(page).response["violations"]] == []
    assert alone.outside == []
    page.close()
