"""What a storm's seed stands for: scenes, each with its load and its fault, as data and as a table.

    forecast(8)                    # shows what comes, scene by scene

Rules: a pure function of the seed, on any machine and for any producer; faults come by counts (the n-th
request of a scene). Every storm has the same seven scenes; the seed says in which order the six bad ones
come, which broker dies, which error is told and which request is hit.

Leaves out: how it is brought about (storm.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from kafkalab.course.cards import Shown
from kafkalab.course.markup import html
from kafkalab.course.views.tables import table
from kafkalab.faults.campaign.schedule import ERRORS, Fault

KEYS = (b"ann", b"finn", b"gita", b"jon", b"bob", b"vip-eve")
"""The default partitioner puts the first four into four different partitions."""
NARROW = 48_000
REFUSALS = tuple(each.error for each in ERRORS if not each.done)


@dataclass(frozen=True)
class Scene:
    """One stretch of the storm; `chapter` teaches the way through."""

    name: str
    records: int
    chapter: str = ""
    faults: tuple[Fault, ...] = ()
    size: int = 1000
    keys: int = len(KEYS)
    one_by_one: bool = False
    """Each record is awaited before the next is sent."""
    bytes_per_s: int | None = None
    node: Literal["", "freeze", "kill"] = ""

    @property
    def fault(self) -> str:
        """What happens, in a few words."""
        if self.node:
            return "for a second" if self.node == "freeze" else "its followers have not copied yet"
        if self.bytes_per_s:
            return f"{self.bytes_per_s:,} bytes a second"
        return ", ".join(_words(fault) for fault in self.faults)


def _words(fault: Fault) -> str:
    if fault.verb == "answer_with":
        return f"{fault.error}, and the next batch is on its way"
    return f"of request {fault.nth}; " + ("the connection is reset" if fault.reset else "then silence")


@dataclass(frozen=True)
class Forecast:
    """All that a seed stands for."""

    seed: int
    leader: int
    """Index of the broker that leads all partitions, and dies."""
    scenes: tuple[Scene, ...]

    @property
    def records(self) -> int:
        """How many records a producer has to deliver."""
        return sum(scene.records for scene in self.scenes)

    def __repr__(self) -> str:
        return self._table().text

    def _repr_html_(self) -> str:
        return html(self._table().markup)

    def _table(self) -> Shown:
        head = ("", "Scene", "What happens", "Records", "Chapter")
        rows = [
            (str(number), each.name, each.fault, f"{each.records} of {each.size:,} bytes", each.chapter)
            for number, each in enumerate(self.scenes, 1)
        ]
        return table(f"Storm {self.seed}: {self.records} records", head, rows)


def forecast(seed: int) -> Forecast:
    """Return the storm of this seed; ValueError for one that is none."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed={seed!r}: give a whole number from 0 up, such as 8.")
    dice = Random(seed)  # noqa: S311 - it has to be predictable
    refusal = Fault("answer_with", error=dice.choice(REFUSALS), forward=False, after_next=True)
    hit = dice.randint(1, 4)
    silent = seed % 2 == 1  # the connection stays open: only a timeout notices
    rough = [
        _one_by_one("an answer is lost", "08", Fault("drop_response", nth=hit, reset=not silent)),
        _one_by_one("a request is lost", "04", Fault("drop_request", nth=hit, reset=True)),
        Scene("a batch is refused", 48, "04", (refusal,), keys=1),
        Scene("the link is narrow", 160, "06", size=500, bytes_per_s=NARROW),
        Scene("the leader freezes", 40, "03", node="freeze"),
        Scene("the leader dies", 4, "03", keys=4, node="kill"),
    ]
    dice.shuffle(rough)
    return Forecast(seed, dice.randrange(3), (Scene("calm", 60), *rough))


def _one_by_one(name: str, chapter: str, fault: Fault) -> Scene:
    return Scene(name, 5, chapter, (fault,), one_by_one=True)
