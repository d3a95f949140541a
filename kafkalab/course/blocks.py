"""Documents of which a part is made from data; the rest is written by hand.

    <!-- made: chapters -->
    what stands here is replaced
    <!-- /made -->

README.md has its table of chapters from chapters.py, docs/teaching.md its facts (teaching.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from kafkalab.course import workcopy
from kafkalab.course.chapters import CHAPTERS
from kafkalab.course.claims_table import table

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
    tables = {"chapters": table(("Chapter", "Question", "Minutes"), rows)}
    return filled(committed("README.md"), tables.__getitem__)
