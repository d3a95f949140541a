"""Chapter 08: the leader's side: store a batch, take it for a duplicate, or refuse it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kafkalab.course.byhand import ByHand
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy

ANSWERS = ("store", "duplicate", "refuse")
LAST_NUMBER = 2**31 - 1
MEMORY = 5
PLANS: tuple[tuple[tuple[int, int], ...], ...] = (
    # (sequence of the first record, records); the first one is of a producer that nobody knows.
    ((7, 2), (9, 1), (7, 2), (7, 1), (8, 1), (8, 2), (11, 1), (3, 1), (10, 2), (10, 1), (10, 2)),
    ((7, 2), (9, 1), (10, 2), (12, 1), (13, 1), (14, 1), (9, 1), (7, 2), (16, 1), (15, 1)),
    ((LAST_NUMBER - 2, 2), (LAST_NUMBER, 3), (2, 1), (LAST_NUMBER, 3), (LAST_NUMBER, 1), (4, 1), (3, 1)),
    ((LAST_NUMBER, 1), (0, 1), (LAST_NUMBER, 1)),
)
"""One producer each."""


class Numbers(NamedTuple):
    """The sequence numbers of a batch's first and last record."""

    first: int
    last: int


class LikeTheLeader:
    """One of the remembered is a duplicate, the next one is stored; so is anything of an unknown producer."""

    def answer(self, remembered: Sequence[Numbers], batch: Numbers) -> str:
        """Tell what becomes of `batch`."""
        if batch in remembered:
            return "duplicate"
        if not remembered or batch.first == (remembered[-1].last + 1) % 2**31:
            return "store"
        return "refuse"


def check(answer: Any, bench: Bench) -> Result:
    """Ask the rule and a real leader about each batch of a few producers, and compare."""
    first = bench.cluster.broker_ids[0]
    topic, leader = bench.topic("leader", assignment=[[first]]), bench.cluster.broker_ids.index(first) + 1
    asked = 0
    with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy:
        hand = ByHand(proxy.bootstrap_servers)
        for plan in PLANS:
            producer, remembered = hand.new_id(leader), list[Numbers]()
            for sequence, records in plan:
                batch = Numbers(sequence, (sequence + records - 1) % 2**31)
                told = answer.answer(list(remembered), batch)
                end = bench.cluster.offsets(topic, 0).log_end
                said = hand.produce(topic, sequence, *[b"v"] * records, producer=producer, leader=leader)
                stored = bench.cluster.offsets(topic, 0).log_end > end
                real = "store" if stored else "duplicate" if said.what == "success" else "refuse"
                if told != real:
                    return _differs(told, real, remembered, batch)
                asked += 1
                remembered = [*remembered, batch][-MEMORY:] if stored else remembered
    return Result("correct", f"{asked} batches of {len(PLANS)} producers: the broker did as your rule says.")


def _differs(told: Any, real: str, remembered: Sequence[Numbers], batch: Numbers) -> Result:
    wish = "" if told in ANSWERS else f" The answers are {', '.join(map(repr, ANSWERS))}."
    known = ", ".join(f"{each.first} to {each.last}" for each in remembered) or "nothing"
    return Result(
        "wrong",
        f"Your answer is {told!r}; what the broker does is {real!r}.{wish}",
        f"remembered: {known}\nbatch: {batch.first} to {batch.last}",
    )


class Largest:
    """Wrong: not everything below the largest number is known."""

    def answer(self, remembered: Sequence[Numbers], batch: Numbers) -> str:
        """Take everything below the largest number for a duplicate."""
        right = LikeTheLeader().answer(remembered, batch)
        return "duplicate" if right == "refuse" and batch.last <= remembered[-1].last else right


class FirstNumber:
    """Wrong: a batch of the same beginning, with fewer records, is another batch."""

    def answer(self, remembered: Sequence[Numbers], batch: Numbers) -> str:
        """Compare first numbers only."""
        known = any(each.first == batch.first for each in remembered)
        return "duplicate" if known else LikeTheLeader().answer(remembered, batch)


class FromZero:
    """Wrong: an unknown producer may begin anywhere."""

    def answer(self, remembered: Sequence[Numbers], batch: Numbers) -> str:
        """Let nobody begin with anything but 0."""
        return LikeTheLeader().answer(remembered or [Numbers(-1, -1)], batch)


class Gaps:
    """Wrong: behind a gap the missing ones could never be stored in order."""

    def answer(self, remembered: Sequence[Numbers], batch: Numbers) -> str:
        """Store whatever is above the last number."""
        above = remembered and batch.first > remembered[-1].last
        return "store" if above else LikeTheLeader().answer(remembered, batch)


class NoEnd:
    """Wrong: behind 2147483647 comes 0."""

    def answer(self, remembered: Sequence[Numbers], batch: Numbers) -> str:
        """Count on and on."""
        right = LikeTheLeader().answer(remembered, batch)
        at_its_end = remembered and remembered[-1].last == LAST_NUMBER
        return "refuse" if right == "store" and at_its_end else right


EXERCISE = Exercise(
    chapter="08",
    name="leader",
    prompt=(
        "Be the leader. Write answer(remembered, batch): 'store', 'duplicate' or 'refuse'. batch has first "
        "and last, the sequence numbers of its first and last record; remembered lists up to five such "
        "batches, the last ones stored of this producer, oldest first. A real broker gets the same batches, "
        "and is right."
    ),
    hints=(
        "Three questions in this order: is it exactly one of those? Is it the next? Is nothing remembered?",
        "`batch in remembered` compares both numbers. The next one is (remembered[-1].last + 1) % 2 ** 31.",
    ),
    method="answer",
    solution=LikeTheLeader,
    check=check,
    wrong={
        "everything below": Largest,
        "first number only": FirstNumber,
        "from zero": FromZero,
        "gaps taken": Gaps,
        "no end": NoEnd,
    },
)
