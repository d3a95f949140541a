"""Every registered exercise: unattempted, with its typical wrong answers, and right, on a real cluster."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from kafkalab.course import exercise
from kafkalab.course.cards import Picture
from kafkalab.course.exercise import NOT_ATTEMPTED, Bench, Exercise, Result, Sitting
from kafkalab.course.markup import tag

REGISTRY = exercise.registry()
IDS = [f"{chapter}-{name}" for chapter, name in REGISTRY]
QUICK = 3
"""How many wrong answers of an exercise `make test` tries; `make slow` tries them all."""


def wrong_answers() -> list[Any]:
    return [
        pytest.param(
            each,
            name,
            id=f"{each.chapter}-{name}",
            marks=pytest.mark.slow if number >= QUICK else (),
        )
        for each in REGISTRY.values()
        for number, name in enumerate(each.wrong)
    ]


class Untouched:
    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Any) -> Any:
        """As the notebook hands it out."""
        return ...

    def passes(self) -> None:
        pass


class Tries:
    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Any) -> int:
        return 0


@pytest.mark.parametrize("answer", [None, ..., Untouched, Untouched()])
@pytest.mark.parametrize("each", REGISTRY.values(), ids=IDS)
def test_an_untouched_starter_is_not_attempted(each: Exercise, answer: Any, fake_cluster: Any) -> None:
    if hasattr(answer, "partition"):
        setattr(type(answer) if not isinstance(answer, type) else answer, each.method, Untouched.passes)
    assert exercise.judge(each, answer, Bench(fake_cluster, each.chapter)) == NOT_ATTEMPTED
    assert fake_cluster.topics == []


@pytest.mark.parametrize("each", REGISTRY.values(), ids=IDS)
def test_an_answer_of_the_wrong_kind_is_wrong_and_says_what_is_wanted(
    each: Exercise, fake_cluster: Any
) -> None:
    result = exercise.judge(each, 42, Bench(fake_cluster, each.chapter))
    assert result.status == "wrong"
    assert f"{each.method}()" in result.message
    assert "int" in result.message


@pytest.mark.parametrize("each", REGISTRY.values(), ids=IDS)
def test_an_exercise_is_complete(each: Exercise) -> None:
    assert len(each.wrong) >= 3
    assert len(each.hints) == 2
    assert each.prompt
    assert each.method in inspect.getsource(each.solution)


@pytest.mark.cluster
@pytest.mark.parametrize("each", REGISTRY.values(), ids=IDS)
def test_the_solution_is_right(each: Exercise, cluster: Any) -> None:
    assert exercise.judge(each, each.solution(), Bench(cluster, each.chapter)).status == "correct"


def test_a_class_will_do_as_well_as_an_object(fake_cluster: Any) -> None:
    seen: list[Any] = []

    def check(answer: Any, bench: Bench) -> Result:
        seen.append(type(answer))
        return Result("correct", "Yes.")

    each = Exercise("01", "x", "p", ("a", "b"), "partition", Tries, check)
    for answer in (Tries, Tries()):
        assert exercise.judge(each, answer, Bench(fake_cluster, "01")).status == "correct"
    assert seen == [Tries, Tries]


@pytest.mark.cluster
@pytest.mark.parametrize(("each", "name"), wrong_answers())
def test_a_typical_wrong_answer_is_wrong_and_says_why(each: Exercise, name: str, cluster: Any) -> None:
    result = exercise.judge(each, each.wrong[name](), Bench(cluster, each.chapter))
    assert result.status == "wrong"
    assert result.message
    assert "Your code, or what it led to" not in result.message


def test_a_check_that_meets_an_exception_is_a_wrong_answer(fake_cluster: Any) -> None:
    def check(answer: Any, bench: Bench) -> Result:
        raise KeyError("lost")

    each = Exercise("01", "x", "p", ("a", "b"), "partition", Tries, check)
    result = exercise.judge(each, Tries(), Bench(fake_cluster, "01"))
    assert result.status == "wrong"
    assert "KeyError: 'lost'" in result.message


class TestSitting:
    @pytest.fixture
    def shown(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        seen: list[Any] = []
        monkeypatch.setattr(exercise, "display", seen.append)
        return seen

    @pytest.fixture
    def sitting(self, fake_cluster: Any, progress: Any) -> Sitting:
        results = {True: Result("correct", "Yes."), False: Result("wrong", "No.", "offset 3: b'v'")}
        each = Exercise(
            "01",
            "x",
            "Do it.",
            ("one", "two"),
            "partition",
            Tries,
            lambda answer, bench: results[answer.good],
        )
        return Sitting(each, fake_cluster, progress)

    def answer(self, good: bool) -> Tries:
        tries = Tries()
        tries.good = good  # type: ignore[attr-defined]
        return tries

    def test_check_shows_the_record_that_is_wrong_and_keeps_the_result(
        self, sitting: Sitting, shown: list[Any], progress: Any
    ) -> None:
        sitting.check(self.answer(False))
        assert repr(shown[0]) == "Not yet: No.\noffset 3: b'v'"
        sitting.check(self.answer(True))
        sitting.check(None)
        assert [repr(each).split(":")[0] for each in shown] == ["Not yet", "Correct", "Not attempted yet"]
        assert progress.get("01/exercise/x") == "correct"

    def test_a_picture_that_points_at_what_is_wrong_comes_under_the_card(
        self, fake_cluster: Any, progress: Any, shown: list[Any]
    ) -> None:
        view = Picture(tag("svg"), "The byte.", "byte 3 is wrong")
        result = Result("wrong", "No.", view=view)
        each = Exercise("01", "x", "p", ("a", "b"), "partition", Tries, lambda answer, bench: result)
        Sitting(each, fake_cluster, progress).check(Tries())
        assert [repr(part) for part in shown] == ["Not yet: No.", "byte 3 is wrong"]

    def test_hints_come_one_after_the_other_or_by_number(self, sitting: Sitting, shown: list[Any]) -> None:
        for number in (None, None, None, 1):
            sitting.hint(number)
        assert [repr(hint) for hint in shown] == ["Hint 1: one", "Hint 2: two", "Hint 2: two", "Hint 1: one"]
        with pytest.raises(ValueError, match="no hint 3; this exercise has hints 1 to 2"):
            sitting.hint(3)

    def test_solution_is_the_source_of_what_is_tested(self, sitting: Sitting, shown: list[Any]) -> None:
        sitting.solution()
        assert shown[0].code == inspect.getsource(Tries).rstrip()

    def test_prompt_is_shown(self, sitting: Sitting) -> None:
        assert repr(sitting) == "Exercise: x\n  Do it."
        assert "Do it." in sitting._repr_html_()


def test_unknown_exercise_names_the_nearest() -> None:
    with pytest.raises(LookupError, match=r"no exercise 'partitoner'; .*Did you mean 'partitioner'"):
        exercise.find("02", "partitoner")
