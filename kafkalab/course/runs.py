"""What came of producers in a storm, and the goal they are measured against.

Rules: *scattered* is one key in two partitions; *given up* is what the program was told an error of, or
nothing. `rate` is that of the scene with the narrow link: there it depends on the producer, not on outages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kafkalab.course.cards import Shown
from kafkalab.course.markup import html
from kafkalab.course.views.tables import table
from kafkalab.faults import Audit

DAMAGE = ("lost", "duplicated", "reordered", "scattered", "given up")


class Goal(NamedTuple):
    """What a run has to achieve, besides delivering everything once and in order."""

    rate: float = 120.0
    """Records a second through the narrow link."""
    slowest_s: float = 10.0
    """From send() to the acknowledgement, for every single record."""


GOAL = Goal()


@dataclass
class Run:
    """What came of one producer in one storm."""

    name: str
    seed: int
    settings: dict[str, str]
    audit: Audit
    hurt: dict[str, dict[str, int]]
    """Scene -> kind of damage -> how many of its records."""
    rate: float
    waits: list[float]
    """Seconds from send() to the outcome, in ascending order."""

    def count(self, kind: str) -> int:
        """Return how many records had this damage."""
        return sum(each.get(kind, 0) for each in self.hurt.values())

    @property
    def damage(self) -> list[str]:
        """Every kind of damage, once."""
        return [kind for kind in DAMAGE if self.count(kind)]

    @property
    def slowest_s(self) -> float:
        """How long the slowest record waited."""
        return self.waits[-1] if self.waits else 0.0

    @property
    def p99_s(self) -> float:
        """99 of 100 records waited no longer."""
        return self.waits[len(self.waits) * 99 // 100] if self.waits else 0.0

    def missed(self, goal: Goal = GOAL) -> list[str]:
        """Return what of the goal was not reached; nothing when all was."""
        late = ["a record waited too long"] if self.slowest_s > goal.slowest_s else []
        return self.damage + late + (["too slow"] if self.rate < goal.rate else [])


class Runs(dict[str, Run]):
    """The runs of one storm by name; shown as a table of who was hurt where."""

    def __repr__(self) -> str:
        return self._table().text

    def _repr_html_(self) -> str:
        return html(self._table().markup)

    def _table(self) -> Shown:
        runs = list(self.values())
        scenes = list(runs[0].hurt) if runs else []
        rows = [(scene, *(_cell(run.hurt[scene]) for run in runs)) for scene in scenes]
        verdict = ("goal", *("; ".join(set_apart(run)) for run in runs))
        return table("What happened to the records", ("Scene", *self), [*rows, verdict])


def _cell(hurt: Mapping[str, int]) -> str:
    return ", ".join(kind for kind in DAMAGE if hurt.get(kind)) or "-"


def set_apart(run: Run) -> list[str]:
    """Return the verdict on a run: what it missed, damage in one word."""
    missed = [each for each in run.missed() if each not in DAMAGE]
    return (["damage"] if run.damage else []) + missed or ["reached"]
