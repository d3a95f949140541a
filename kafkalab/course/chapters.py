"""The table of chapters: number, file, title, minutes, question, sections of the outline.

One row a chapter, in reading order. A chapter is listed once its notebook exists; everything that names
chapters (cards, links, working copy, checks) reads this table.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class ChapterEntry:
    """One row: `minutes` is a newcomer's reading and doing time."""

    number: str
    slug: str
    title: str
    minutes: int
    question: str
    sections: tuple[str, ...] = ()

    @property
    def notebook(self) -> str:
        """File name of the notebook, as links write it."""
        return f"{self.number}_{self.slug}.ipynb"


CHAPTERS = (
    ChapterEntry("00", "start_here", "Start here", 15, "Does a record survive the death of a broker?"),
    ChapterEntry(
        "01",
        "architecture",
        "Architecture",
        30,
        "What is inside a producer, and what does each part do?",
        ("4.1",),
    ),
    ChapterEntry(
        "02",
        "workflow",
        "Workflow",
        30,
        "Which way does a record take from send() to an acknowledgement?",
        ("4.2", "4.7"),
    ),
    ChapterEntry("03", "acks", "Acks", 30, "What is an acknowledgement worth?", ("4.3.1", "4.8.2")),
)


def find(number: str) -> ChapterEntry:
    """Return the chapter called `number` ("01", "1", "01_architecture" or file); LookupError if none is."""
    wanted = number.removesuffix(".ipynb")
    for entry in CHAPTERS:
        if wanted in (
            entry.number,
            entry.number.lstrip("0") or "0",
            entry.slug,
            f"{entry.number}_{entry.slug}",
        ):
            return entry
    known = [entry.number for entry in CHAPTERS]
    near = difflib.get_close_matches(wanted, [*known, *(entry.slug for entry in CHAPTERS)], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LookupError(f"There is no chapter {number!r}; chapters are {', '.join(known)}.{hint}")


def neighbours(entry: ChapterEntry) -> tuple[ChapterEntry | None, ChapterEntry | None]:
    """Return the chapters before and after `entry`."""
    at = CHAPTERS.index(entry)
    before = CHAPTERS[at - 1] if at else None
    after = CHAPTERS[at + 1] if at + 1 < len(CHAPTERS) else None
    return before, after
