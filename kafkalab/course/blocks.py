"""Documents of which a part is made from data; the rest is written by hand.

    <!-- made: chapters -->
    what stands here is replaced
    <!-- /made -->

README.md has its chapters and counts from the course's data (here), docs/teaching.md its facts (teaching.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from kafkalab.course import claims, exercise, workcopy
from kafkalab.course.chapters import CHAPTERS
from kafkalab.course.claims_table import table
from kafkalab.course.teeth import patch

_BLOCK = re.compile(r"(<!-- made: (?P<name>[^>]+) -->\n).*?(<!-- /made -->)", re.DOTALL)


def filled(text: str, make: Callable[[str], str]) -> str:
    """Return `text` with what `make(name)` returns between the comments of each block."""
    return _BLOCK.sub(lambda found: f"{found[1]}{make(found['name']).strip()}\n{found[3]}", text)


def names(text: str) -> list[str]:
    """Return the names of the blocks in `text`."""
    return [found["name"] for found in _BLOCK.finditer(text)]


def committed(name: str) -> str:
    """Return the text of a document of this clone; FileNotFoundError if there is none."""
    return ((workcopy.clone() or Path()) / name).read_text(encoding="utf-8")


def readme() -> str:
    """Return README.md, its chapters as chapters.py has them."""
    rows = [
        (f"[{each.number} {each.title}](notebooks/{each.notebook})", each.question, str(each.minutes))
        for each in CHAPTERS
    ]
    tables = {"chapters": table(("Chapter", "Question", "Minutes"), rows), "counts": counts()}
    return filled(committed("README.md"), tables.__getitem__)


def counts() -> str:
    """Return how much there is of what, in the chapters that exist."""
    listed = {each.number for each in CHAPTERS}
    tried = [each for each in claims.load().values() if each.chapter in listed]
    failing = sum(each.verdict != "true" for each in tried)
    exercises = exercise.registry().values()
    wrong = sum(len(each.wrong) for each in exercises)
    return (
        f"{len(tried)} beliefs are put to the test; {failing} are false, outdated, or half of the truth.\n"
        f"{len(exercises)} exercises are judged by the cluster, and were tried with {wrong} wrong answers.\n"
        f"{len(patch.table())} broken producers must each be noticed by the chapter that teaches the part."
    )
