"""Exercises: a learner's own part, judged by the real cluster.

An exercise is a module `ch<chapter>_<name>` of `kafkalab.course.exercises` with one `EXERCISE`. Its check
gets the learner's object and a `Bench` (cluster and fresh topics) and returns a Result that points at the
record that is wrong. Untouched starters are "not attempted", never an error, so that "run all" runs through.
The solution is the object that the tests check; what learners see is its source.
"""

from __future__ import annotations

import datetime
import difflib
import dis
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kafkalab.cluster.errors import NotPossibleError
from kafkalab.course import answers, exercises
from kafkalab.course.cards import Shown, card, display, paragraph
from kafkalab.course.markup import html, tag
from kafkalab.course.progress import MARKER, NO_SOLUTIONS, Progress, working_copy
from kafkalab.course.source import show_source
from kafkalab.course.views.live import LiveView

Status = Literal["correct", "wrong", "not attempted"]
TITLES = {"correct": "Correct", "wrong": "Not yet", "not attempted": "Not attempted yet"}
KINDS = {"correct": "correct", "wrong": "wrong", "not attempted": "neutral"}


@dataclass(frozen=True)
class Result:
    """What a check found; `message` says what to look at, `record` shows the one that is wrong.

    `view` is a picture that points at it, such as `bytes_view(raw, wrong={62: "..."})`: shown under the card.
    """

    status: Status
    message: str
    record: str = ""
    view: Shown | LiveView | None = None

    def card(self) -> Shown:
        """Return the result as a notebook shows it."""
        detail = [tag("pre", self.record)] if self.record else []
        text = "\n".join(part for part in (f"{TITLES[self.status]}: {self.message}", self.record) if part)
        return card(KINDS[self.status], TITLES[self.status], paragraph(self.message), *detail, text=text)


@dataclass(frozen=True)
class Bench:
    """Where an exercise is checked: the real cluster, and topics of its own."""

    cluster: Any
    chapter: str

    def topic(self, name: str, **options: Any) -> str:
        """Return the name of a new, empty topic."""
        physical = f"{self.cluster.prefix}exercise-{self.chapter}-{name}"
        self.cluster.recreate_topic(physical, **options)
        return physical


@dataclass(frozen=True)
class Exercise:
    """One exercise: `method` is the one a learner writes; `wrong` are typical wrong answers (tests)."""

    chapter: str
    name: str
    prompt: str
    hints: tuple[str, str]
    method: str
    solution: type
    check: Callable[[Any, Bench], Result]
    wrong: Mapping[str, Callable[[], Any]] = field(default_factory=dict)


RAISED = "Your code, or what it led to, raised"
WITHHELD = "Your teacher holds the solutions: this copy of the course shows none. Both hints are there."
NOT_ATTEMPTED = Result("not attempted", "Replace the ... in the cell above, run it, then check again.")


def judge(exercise: Exercise, answer: Any, bench: Bench) -> Result:
    """Return the result for `answer` (an object, or its class); an exception in it is a wrong answer."""
    if unattempted(answer, exercise.method):
        return NOT_ATTEMPTED
    if not callable(getattr(answer, exercise.method, None)):
        kind = type(answer).__name__
        return Result("wrong", f"Hand over an object with a method {exercise.method}(); this is a {kind}.")
    try:
        return exercise.check(answer() if isinstance(answer, type) else answer, bench)
    except NotPossibleError as error:
        return Result("not attempted", f"This exercise needs power over the brokers. {error}")
    except Exception as error:  # noqa: BLE001 - whatever a learner's code raises is the finding
        return Result("wrong", f"{RAISED} {type(error).__name__}: {error}")


def unattempted(answer: Any, method: str) -> bool:
    """Tell whether `answer` is nothing, `...`, or has a `method` whose body is only `...`."""
    if answer is None or answer is ...:
        return True
    function = inspect.unwrap(getattr(answer, method, answer))
    code = getattr(function, "__code__", None)
    return code is not None and _does_nothing(code)


def _does_nothing(code: Any) -> bool:
    # By bytecode, because the source of a class typed into a notebook cell cannot always be had.
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE", "CACHE"}
    steps = list(dis.get_instructions(code))
    constants = [step.argval for step in steps if step.opname in {"LOAD_CONST", "RETURN_CONST"}]
    return all(step.opname in idle for step in steps) and all(value in (None, ...) for value in constants)


class Sitting:
    """An exercise in front of a learner: show it, check an answer, give hints, show the solution."""

    def __init__(self, exercise: Exercise, cluster: Any, progress: Progress) -> None:
        self.exercise = exercise
        self._bench = Bench(cluster, exercise.chapter)
        self._progress = progress
        self._hints_given = 0

    def check(self, answer: Any) -> None:
        """Judge `answer` on the cluster and show the result; never raises for a wrong one."""
        result = judge(self.exercise, answer, self._bench)
        if result.status != "not attempted":
            self._note(result.status)
        display(result.card())
        if result.status == "correct" and (why := self._keep(answer)):
            display(card("neutral", "Not kept", paragraph(why), text=f"Not kept: {why}"))
        if result.view is not None:
            display(result.view)

    def _note(self, status: Status) -> None:
        chapter, name = self.exercise.chapter, self.exercise.name
        self._progress.put(f"{chapter}/exercise/{name}", status)
        if status == "correct" and not self._progress.get(f"{chapter}/passed/{name}"):
            today = datetime.datetime.now(tz=datetime.UTC).date()
            self._progress.put(f"{chapter}/passed/{name}", today.isoformat())

    def _keep(self, answer: Any) -> str | None:
        return answers.keep(self._progress, self.exercise.chapter, self.exercise.name, answer)

    def hint(self, number: int | None = None) -> None:
        """Show the next hint, or hint `number` (1 or 2)."""
        hints = self.exercise.hints
        number = number or min(self._hints_given + 1, len(hints))
        if number not in range(1, len(hints) + 1):
            raise ValueError(f"There is no hint {number}; this exercise has hints 1 to {len(hints)}.")
        self._hints_given = number
        text = hints[number - 1]
        display(card("exercise", f"Hint {number}", paragraph(text), text=f"Hint {number}: {text}"))

    def solution(self) -> None:
        """Show one solution, the source of the object that the tests check, unless this copy shows none."""
        copy = working_copy()
        if copy and (copy / MARKER / NO_SOLUTIONS).exists():
            display(card("exercise", "Solution", paragraph(WITHHELD), text=f"Solution: {WITHHELD}"))
            return
        display(show_source(self.exercise.solution))

    def __repr__(self) -> str:
        return self._card().text

    def _repr_html_(self) -> str:
        return html(self._card().markup)

    def _card(self) -> Shown:
        title = f"Exercise: {self.exercise.name}"
        return card(
            "exercise", title, paragraph(self.exercise.prompt), text=f"{title}\n  {self.exercise.prompt}"
        )


def registry() -> dict[tuple[str, str], Exercise]:
    """Return every exercise by (chapter, name)."""
    names = sorted(module.name for module in pkgutil.iter_modules(exercises.__path__))
    found = [importlib.import_module(f"{exercises.__name__}.{name}").EXERCISE for name in names]
    return {(exercise.chapter, exercise.name): exercise for exercise in found}


def find(chapter: str, name: str) -> Exercise:
    """Return the exercise; LookupError naming the nearest if there is none."""
    known = registry()
    if (chapter, name) in known:
        return known[chapter, name]
    here = [other for number, other in known if number == chapter]
    near = difflib.get_close_matches(name, here, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LookupError(
        f"Chapter {chapter} has no exercise {name!r}; it has {', '.join(here) or 'none'}.{hint}"
    )
