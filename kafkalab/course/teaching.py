"""The facts in docs/teaching.md: the plan, each chapter's goals, beliefs that fail, wrong answers.

They come from where they are true: chapters.py, the notebooks' first cells, claims.toml, the exercises. What
a teacher does with them is written by hand around the blocks (blocks.py).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from kafkalab.course import blocks, claims, exercise, normalise, workcopy
from kafkalab.course.chapters import CHAPTERS, ChapterEntry
from kafkalab.course.claims_table import table
from kafkalab.course.exercise import Exercise

DOCUMENT = "docs/teaching.md"
NOT_YET = "*This version of the course does not have this chapter yet.*"
_WRONG = re.compile(r"Wrong(?: here)?: (.*)")
_GOALS = re.compile(r"After this chapter you can\n\n((?:- .*\n?)+)")


def text() -> str:
    """Return the document, its blocks filled."""
    return blocks.filled(blocks.committed(DOCUMENT), block)


def block(name: str) -> str:
    """Return what stands in the block `name`: "plan", or "chapter NN"."""
    if name == "plan":
        return plan()
    number = name.removeprefix("chapter ")
    entry = next((each for each in CHAPTERS if each.number == number), None)
    return "\n\n".join(_chapter(entry)) if entry else NOT_YET


def plan() -> str:
    """Return the table of chapters, as a teacher needs it."""
    rows = [
        (
            f"[{each.number} {each.title}](../notebooks/{each.notebook})",
            str(each.minutes),
            ", ".join(each.sections) or "-",
            str(len(beliefs(each))),
            ", ".join(f"`{one.name}`" for one in exercises(each)),
        )
        for each in CHAPTERS
    ]
    head = ("Chapter", "Minutes", "Outline", "Beliefs that fail", "Exercises")
    return table(head, rows) + f"\n\nTogether {sum(each.minutes for each in CHAPTERS)} minutes."


def exercises(entry: ChapterEntry) -> list[Exercise]:
    """Return the chapter's exercises."""
    return [each for each in exercise.registry().values() if each.chapter == entry.number]


def beliefs(entry: ChapterEntry) -> list[tuple[str, str]]:
    """Return what is believed and not (quite) so, with what the chapter shows instead."""
    return [
        (each.belief, each.fact)
        for each in claims.load().values()
        if each.chapter == entry.number and each.verdict != "true"
    ]


def _chapter(entry: ChapterEntry) -> Iterator[str]:
    yield f"**Goals** ({entry.minutes} minutes). Afterwards a learner can\n\n{_goals(entry)}"
    if failing := beliefs(entry):
        yield table(("They will say", "What the chapter shows"), failing)
    for each in exercises(entry):
        yield _wrong(each)


def _wrong(each: Exercise) -> str:
    """Return the exercise's wrong answers: a table, or a line where their names say it all."""
    rows = [(name, _why(make())) for name, make in each.wrong.items()]
    if any(why for _, why in rows):
        return table((f"Wrong answers to `{each.name}`", "What is wrong with it"), rows)
    return f"Wrong answers to `{each.name}`: {', '.join(name for name, _ in rows)}."


def _goals(entry: ChapterEntry) -> str:
    source = normalise.read(workcopy.source() / entry.notebook).cells[0].source
    found = _GOALS.search(source)
    if found is None:
        raise ValueError(f"{entry.notebook}: no goals ('After this chapter you can', then a list).")
    return found[1].strip()


def _why(answer: object) -> str:
    """Return what the answer's docstring says is wrong; of some, their name says it all."""
    found = _WRONG.match(inspect.getdoc(type(answer)) or "")
    return found[1] if found else ""
