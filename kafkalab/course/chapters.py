"""The table of chapters: number, file, title, minutes, question, sections of the outline, what it builds on.

One row a chapter, in reading order. A chapter is listed once its notebook exists; everything that names
chapters (cards, links, working copy, checks) reads this table.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class ChapterEntry:
    """One row: `minutes` is a newcomer's reading and doing time, `needs` the numbers of what it builds on."""

    number: str
    slug: str
    title: str
    minutes: int
    question: str
    sections: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

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
        needs=("00",),
    ),
    ChapterEntry(
        "02",
        "workflow",
        "Workflow",
        30,
        "Which way does a record take from send() to an acknowledgement?",
        ("4.2", "4.7"),
        needs=("01",),
    ),
    ChapterEntry(
        "03",
        "acks",
        "Acks",
        30,
        "What is an acknowledgement worth?",
        ("4.3.1", "4.8.2"),
        needs=("02",),
    ),
    ChapterEntry(
        "04",
        "retries",
        "Retries and timeouts",
        30,
        "What does a producer do when the wrong answer comes, or none?",
        ("4.3.2",),
        needs=("02", "03"),
    ),
    ChapterEntry(
        "05",
        "batching",
        "Batching and buffer memory",
        30,
        "What is in a batch, when does it leave, and what if there is no room for the next one?",
        ("4.3.3", "4.3.4"),
        needs=("02",),
    ),
    ChapterEntry(
        "06",
        "compression",
        "Compression",
        30,
        "What does compression save, where, and what does it cost?",
        ("4.3.5",),
        needs=("05",),
    ),
    ChapterEntry(
        "07",
        "delivery",
        "Delivery modes",
        30,
        "At most, at least or exactly once: what is promised, and where does the promise end?",
        ("4.4",),
        needs=("02", "03", "04"),
    ),
    ChapterEntry(
        "08",
        "idempotence",
        "Idempotence",
        30,
        "How does a broker recognise a record that it has already, and when does it not?",
        ("4.5", "4.8.3"),
        needs=("07",),
    ),
    ChapterEntry(
        "09",
        "safe_producer",
        "Safe producer",
        30,
        "Which settings make a producer safe, and what do all of them leave open?",
        ("4.6",),
        needs=("03", "04", "08"),
    ),
    ChapterEntry(
        "10",
        "transactions",
        "Transactions",
        30,
        "How do records of several partitions become one, and what does that cost?",
        ("4.4.3", "4.8.3"),
        needs=("07",),
    ),
    ChapterEntry(
        "11",
        "optimization",
        "Optimization",
        30,
        "Which setting makes a producer faster, and what does it take in return?",
        ("4.8",),
        needs=("05", "06"),
    ),
    ChapterEntry(
        "12",
        "capstone",
        "The storm",
        30,
        "Does your producer bring every record through a storm: once, in order, and in time?",
        needs=("08", "10"),
    ),
)


APPENDICES = (
    ChapterEntry("A0", "index", "Index", 5, "Where am I in the course, and what have I shown?"),
    ChapterEntry("A1", "settings", "Settings", 5, "Which setting is met in which chapter?"),
    ChapterEntry("A2", "glossary", "Glossary", 5, "What does a word mean, and where is it shown?"),
    ChapterEntry("A3", "views", "The pictures", 10, "What do the shapes, colours and lines mean?"),
)
"""Beside the path through the chapters: to look things up."""


def find(number: str) -> ChapterEntry:
    """Return the chapter called `number` ("01", "1", "01_architecture" or file); LookupError if none is."""
    wanted = number.removesuffix(".ipynb")
    every = (*CHAPTERS, *APPENDICES)
    for entry in every:
        if wanted in (
            entry.number,
            entry.number.lstrip("0") or "0",
            entry.slug,
            f"{entry.number}_{entry.slug}",
        ):
            return entry
    known = [entry.number for entry in every]
    near = difflib.get_close_matches(wanted, [*known, *(entry.slug for entry in every)], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LookupError(f"There is no chapter {number!r}; chapters are {', '.join(known)}.{hint}")


def neighbours(entry: ChapterEntry) -> tuple[ChapterEntry | None, ChapterEntry | None]:
    """Return the chapters before and after `entry`; an appendix has none."""
    if entry in APPENDICES:
        return None, None
    at = CHAPTERS.index(entry)
    before = CHAPTERS[at - 1] if at else None
    after = CHAPTERS[at + 1] if at + 1 < len(CHAPTERS) else None
    return before, after
