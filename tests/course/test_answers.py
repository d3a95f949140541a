"""Answers are kept as texts that make them again, and found by the ladder of chapter 12."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kafkalab.course import answers, exercise, ladder
from kafkalab.course.exercise import Exercise, Result, Sitting
from kafkalab.course.exercises import ch02_partitioner
from kafkalab.course.progress import Progress
from kafkalab.course.source import show_source

PARTITIONER = """
import itertools
from collections.abc import Sequence
from kafkalab.producer import murmur2

FIRST = b"vip-"
numbers = itertools.count()


def is_vip(key):
    return (key or b"").startswith(FIRST)


class Mine:
    def partition(self, topic, key: bytes | None, value, partitions: Sequence[int]) -> int:
        *rest, last = partitions
        return last if is_vip(key) else rest[(murmur2(key or b"") & 0x7FFFFFFF) % len(rest)]


class Needy:
    def __init__(self, something):
        self.something = something

    def partition(self, *args):
        return 0


class Counting:
    def partition(self, *args):
        return next(numbers) % 4


class Undefined:
    def partition(self, *args):
        return somewhere


def made_inside():
    class Inside:
        def partition(self, *args):
            return 0

    return Inside
"""


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A notebook's namespace, with classes typed into a cell."""
    name = "<ipython-input-1>"
    module = ModuleType("typed_into_a_cell")
    monkeypatch.setitem(linecache.cache, name, (len(PARTITIONER), None, PARTITIONER.splitlines(True), name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(PARTITIONER, name, "exec"), vars(module))
    return module


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "progress.json")


def test_an_answer_is_made_again_with_all_that_it_needs(cell: Any, progress: Progress) -> None:
    assert answers.keep(progress, "02", "partitioner", cell.Mine()) is None
    kept = answers.load(progress, "02", "partitioner")
    assert kept.trouble == ""
    assert kept.answer.partition("t", b"vip-ann", None, [0, 1, 2]) == 2
    assert kept.answer.partition("t", b"ann", None, [0, 1, 2]) < 2
    assert show_source(type(kept.answer)).code.startswith("class Mine:")
    path = answers.path_of(progress, "02", "partitioner")
    assert path is not None
    assert "itertools" not in path.read_text(encoding="utf-8")


def test_a_class_will_do_as_well_as_an_object(cell: Any, progress: Progress) -> None:
    assert answers.keep(progress, "02", "partitioner", cell.Mine) is None
    assert answers.load(progress, "02", "partitioner").answer is not None


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda cell: cell.Needy(1), "needs no arguments"),
        (lambda cell: cell.Counting(), "'numbers', a count made elsewhere"),
        (lambda cell: cell.Undefined(), "'somewhere', which is not defined"),
        (lambda cell: cell.made_inside()(), "a class of its own in a cell"),
    ],
)
def test_what_cannot_be_kept_says_why_and_leaves_the_file_alone(
    cell: Any, progress: Progress, make: Any, why: str
) -> None:
    answers.keep(progress, "02", "partitioner", cell.Mine())
    assert why in str(answers.keep(progress, "02", "partitioner", make(cell)))
    assert type(answers.load(progress, "02", "partitioner").answer).__name__ == "Mine"


def test_a_replaced_answer_lives_on(cell: Any, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    path = answers.path_of(progress, "02", "partitioner")
    assert path is not None
    answers.keep(progress, "02", "partitioner", cell.Mine())
    first = path.read_text(encoding="utf-8")
    monkeypatch.setattr(cell, "FIRST", b"VIP-")
    answers.keep(progress, "02", "partitioner", cell.Mine())
    answers.keep(progress, "02", "partitioner", cell.Mine())
    assert "VIP-" in path.read_text(encoding="utf-8")
    assert path.with_name("ch02_partitioner_before.py").read_text(encoding="utf-8") == first


def test_nothing_is_kept_of_nobody_and_no_solution_as_an_answer(
    cell: Any, progress: Progress, tmp_path: Path
) -> None:
    assert answers.keep(Progress(None), "02", "partitioner", cell.Mine()) is None
    assert answers.load(Progress(None), "02", "partitioner") == answers.Kept(None)
    assert answers.keep(progress, "02", "partitioner", ch02_partitioner.VipPartitioner()) is None
    assert list(tmp_path.iterdir()) == []


def test_only_a_passed_check_keeps(
    cell: Any, progress: Progress, fake_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(exercise, "display", shown.append)
    for verdict, kept in (("wrong", False), ("correct", True)):
        each = Exercise(
            "02", "x", "p", ("a", "b"), "partition", cell.Mine, lambda *_, v=verdict: Result(v, "")
        )
        Sitting(each, fake_cluster, progress).check(cell.Mine())
        assert (answers.load(progress, "02", "x").answer is not None) == kept
    Sitting(each, fake_cluster, progress).check(cell.Counting())
    assert "Not kept: It uses 'numbers'" in repr(shown[-1])


class TestLadder:
    def test_nobodys_ladder_is_the_courses(self) -> None:
        rungs = ladder.ladder(Progress(None))
        assert rungs.yours == []
        assert repr(rungs).count("the course's") == len(ladder.RUNGS)
        assert set(rungs.options) == {"partitioner", "accumulator", "ordering"}

    def test_a_kept_answer_takes_its_place(self, cell: Any, progress: Progress) -> None:
        answers.keep(progress, "02", "partitioner", cell.Mine())
        rungs = ladder.ladder(progress)
        assert rungs.yours == ["partitioner"]
        assert type(rungs.part("partitioner")).__name__ == "Mine"
        assert "1 of 5 parts are yours" in repr(rungs)

    @pytest.mark.parametrize("text", ["class", "ANSWER = 1 / 0", "", "import nowhere_at_all\nANSWER = int"])
    def test_a_file_that_cannot_be_used_is_named(self, progress: Progress, text: str) -> None:
        path = answers.path_of(progress, "02", "partitioner")
        assert path is not None
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        rungs = ladder.ladder(progress)
        assert rungs.yours == []
        assert "ch02_partitioner.py cannot be used" in repr(rungs)
        assert "Pass its check again" in rungs._repr_html_()
