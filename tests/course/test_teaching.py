"""What the chapters' data says stands in docs/teaching.md, and in every link from chapter to chapter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kafkalab.course import blocks, exercise, navigation, normalise, teaching, workcopy
from kafkalab.course.chapters import CHAPTERS, ChapterEntry, neighbours

from .conftest import notebook

ROOT = Path(__file__).parents[2]
TEACHING = (ROOT / teaching.DOCUMENT).read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\d\d · .+)\n((?:(?!^### ).*\n)+)", TEACHING, re.MULTILINE))


def test_a_block_is_replaced_and_what_is_around_it_stays() -> None:
    text = "a\n<!-- made: x -->\nold\n<!-- /made -->\nb\n<!-- made: y -->\n<!-- /made -->\n"
    made = blocks.filled(text, {"x": "new\n", "y": "1\n2"}.__getitem__)
    assert made == "a\n<!-- made: x -->\nnew\n<!-- /made -->\nb\n<!-- made: y -->\n1\n2\n<!-- /made -->\n"
    assert blocks.filled(made, {"x": "new", "y": "1\n2"}.__getitem__) == made
    assert blocks.names(text) == ["x", "y"]


@pytest.mark.parametrize("entry", CHAPTERS, ids=lambda entry: entry.number)
def test_a_teacher_finds_every_chapter(entry: ChapterEntry) -> None:
    section = SECTIONS[f"{entry.number} · {entry.title}"]
    assert f"<!-- made: chapter {entry.number} -->" in section
    assert teaching.NOT_YET not in section
    for advice in ("**Time.**", "**Project.**", "**Usual trouble.**", "**To discuss**"):
        assert advice in section
    assert len(re.findall(r"^- \*", section.split("**To discuss**")[1], re.MULTILINE)) >= 3
    for each in teaching.exercises(entry):
        assert not [name for name in each.wrong if name not in section]


def test_every_exercise_is_some_chapters() -> None:
    known = [each.name for entry in CHAPTERS for each in teaching.exercises(entry)]
    assert sorted(known) == sorted(each.name for each in exercise.registry().values())


def test_a_chapter_that_is_not_there_is_said_to_be_missing() -> None:
    assert teaching.block("chapter 99") == teaching.NOT_YET


@pytest.mark.parametrize("entry", CHAPTERS, ids=lambda entry: entry.number)
def test_chapters_lead_to_their_neighbours(entry: ChapterEntry) -> None:
    cells = normalise.read(workcopy.source() / entry.notebook).cells
    top = next(line for line in cells[0].source.splitlines() if " minutes · " in line)
    bottom = cells[-1].source.splitlines()[-1]
    files = [each.notebook for each in neighbours(entry) if each]
    assert re.findall(r"(?:before|next): \[[^]]+\]\(([^)]+)\)", top) == files
    assert re.findall(r"(?:Before|Next): \[[^]]+\]\(([^)]+)\)", bottom) == files


def test_links_are_put_right() -> None:
    middle = CHAPTERS[1]
    first = "# x\n\n**y**\n\n7 minutes · needs [a](b) · after: [c](d)\n\nAfter this chapter you can\n\n- z."
    built = navigation.linked(notebook(("md", first), "x = 1", ("md", "Read on.\n\nnext: [c](d)")), middle)
    before, after = CHAPTERS[0], CHAPTERS[2]
    assert built.cells[0].source.splitlines()[4] == (
        f"{middle.minutes} minutes · needs [a](b)"
        f" · before: [{before.number} {before.title}]({before.notebook})"
        f" · next: [{after.number} {after.title}]({after.notebook})"
    )
    assert built.cells[-1].source.startswith("Read on.\n\nBefore: [00 ")


def test_a_chapter_without_a_place_for_links_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a line 'NN minutes"):
        navigation.linked(notebook(("md", "# x"), "x = 1"), CHAPTERS[1])
