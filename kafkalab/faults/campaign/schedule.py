"""What a seed stands for: the load of a storm, and the faults that hit it.

Rules
- A pure function of the seed: the same seed is the same storm, on any machine and for any client.
- Faults are triggered by counts (the n-th Produce request over the proxy), never by the clock.
- `ERRORS` lists what a broker can really answer to a request, and whether it may have done the work.
- Every fifth seed has one fault of a node, at one broker; all others leave the nodes alone.

Leaves out: how a fault is brought about (storm.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

TOPICS = 2
PARTITIONS = 3
NODE_FAULT_EVERY = 5
MOST_FAULTS = 7
MOST_BURSTS = 14
MOST_IN_BURST = 40

Verb = Literal["drop_response", "drop_request", "answer_with", "delay", "hold", "reset", "kill", "pause"]
NODE_VERBS: tuple[Verb, ...] = ("kill", "pause")
GENTLE: tuple[Verb, ...] = ("drop_response", "drop_request", "reset", "delay")
End = Literal["commit", "abort", "takeover"]


class Refusal(NamedTuple):
    """An error that a broker may answer to `api`."""

    api: str
    error: str
    done: bool = False
    """Whether the broker has done the work all the same."""


ERRORS = (
    Refusal("Produce", "NOT_ENOUGH_REPLICAS"),
    Refusal("Produce", "NOT_LEADER_OR_FOLLOWER"),
    Refusal("Produce", "UNKNOWN_TOPIC_OR_PARTITION"),
    Refusal("Produce", "KAFKA_STORAGE_ERROR"),
    Refusal("Produce", "REQUEST_TIMED_OUT", done=True),
    Refusal("Produce", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", done=True),
    # A leader that lost its office, or its disk, while it waited for the followers.
    Refusal("Produce", "NOT_LEADER_OR_FOLLOWER", done=True),
    Refusal("Produce", "KAFKA_STORAGE_ERROR", done=True),
)
COORDINATION = (
    Refusal("InitProducerId", "COORDINATOR_LOAD_IN_PROGRESS"),
    Refusal("InitProducerId", "NOT_COORDINATOR"),
    Refusal("InitProducerId", "CONCURRENT_TRANSACTIONS"),
    Refusal("FindCoordinator", "COORDINATOR_NOT_AVAILABLE"),
    Refusal("AddPartitionsToTxn", "CONCURRENT_TRANSACTIONS"),
    Refusal("AddPartitionsToTxn", "NOT_COORDINATOR"),
    Refusal("EndTxn", "CONCURRENT_TRANSACTIONS"),
    Refusal("EndTxn", "NOT_COORDINATOR"),
    Refusal("EndTxn", "COORDINATOR_LOAD_IN_PROGRESS"),
    # The coordinator wrote the end into its log, and waited for the followers in vain.
    Refusal("EndTxn", "COORDINATOR_NOT_AVAILABLE", done=True),
)
TRANSACTIONAL_APIS = ("InitProducerId", "FindCoordinator", "AddPartitionsToTxn", "EndTxn")
PROXY_VERBS: dict[Verb, int] = {
    "answer_with": 8,
    "drop_response": 4,
    "reset": 2,
    "drop_request": 2,
    "delay": 2,
    "hold": 2,
}
"""Verb -> how likely."""


@dataclass(frozen=True)
class Fault:
    """One fault; it hits when the proxy sees the `nth` request for `api`."""

    verb: Verb
    """FaultProxy's, or one of a node."""
    api: str = "Produce"
    nth: int = 1
    times: int = 1
    error: str = ""
    forward: bool = True
    """answer_with: whether the broker does the work; delay, hold: whether it is the answer that waits."""
    after_next: bool = False
    reset: bool = False
    seconds: float = 0.0
    until: int = 0
    """hold, pause: they end when this many requests more were seen (or after a while, if none come)."""
    partition: tuple[int, int] | None = None
    """Only requests that write there: index of the topic, partition."""
    broker: int = 0
    """kill, pause: index of the broker."""

    def __str__(self) -> str:
        which = f"{self.api} {self.nth}" + (f"-{self.nth + self.times - 1}" if self.times > 1 else "")
        if self.partition is not None:
            which += f" at topic {self.partition[0]}, partition {self.partition[1]}"
        details = [
            self.error,
            "done all the same" if self.verb == "answer_with" and self.forward else "",
            "after the next one" if self.after_next else "",
            "reset" if self.reset else "",
            "request" if self.verb in {"delay", "hold"} and not self.forward else "",
            f"{self.seconds:g} s" if self.seconds else "",
            f"for {self.until} more" if self.until else "",
            f"broker number {self.broker + 1}" if self.verb in NODE_VERBS else "",
        ]
        return f"{self.verb}({', '.join([which, *filter(None, details)])})"


class Burst(NamedTuple):
    """Records sent without waiting in between; in a transactional storm, one transaction."""

    targets: tuple[tuple[int, int], ...]
    """Index of the topic and partition, one for each record."""
    wait: bool
    """Whether all outcomes are awaited before the next burst."""
    end: End
    """How the transaction ends; "takeover": another producer takes the transactional id over."""


@dataclass(frozen=True)
class Schedule:
    """All that a seed stands for. Times are in ms."""

    seed: int
    transactional: bool
    batch_size: int
    """0: a batch for each record."""
    linger_ms: int
    delivery_timeout_ms: int
    retries: int | None
    bursts: tuple[Burst, ...]
    faults: tuple[Fault, ...]

    @property
    def records(self) -> int:
        """How many records are sent."""
        return sum(len(burst.targets) for burst in self.bursts)


def schedule(seed: int) -> Schedule:
    """Return the storm of this seed."""
    dice = Random(seed)  # noqa: S311 - it has to be predictable
    transactional = dice.random() < 0.3
    faults = [_proxy_fault(dice, transactional) for _ in range(dice.randint(2, MOST_FAULTS))]
    if seed % NODE_FAULT_EVERY == NODE_FAULT_EVERY - 1:
        faults.append(_node_fault(dice))
    return Schedule(
        seed,
        transactional,
        batch_size=dice.choice((0, 0, 300, 16384)),
        linger_ms=dice.choice((0, 0, 5)),
        delivery_timeout_ms=dice.choice((5_000, 5_000, 1_500)),
        retries=dice.choice((None, None, None, None, 2)),
        bursts=tuple(_burst(dice) for _ in range(dice.randint(6, MOST_BURSTS))),
        faults=tuple(faults),
    )


def _burst(dice: Random) -> Burst:
    """Return a burst: to one partition, so that requests follow each other there, or to several."""
    everywhere = [(topic, partition) for topic in range(TOPICS) for partition in range(PARTITIONS)]
    among = dice.sample(everywhere, dice.choice((1, 2, 6, 6)))
    targets = tuple(dice.choice(among) for _ in range(dice.randint(1, MOST_IN_BURST)))
    ends: tuple[End, ...] = ("commit", "commit", "commit", "commit", "abort", "abort", "takeover")
    return Burst(targets, dice.random() < 0.3, dice.choice(ends))


def _proxy_fault(dice: Random, transactional: bool) -> Fault:
    (verb,) = dice.choices(list(PROXY_VERBS), list(PROXY_VERBS.values()))
    api = dice.choice(TRANSACTIONAL_APIS) if transactional and dice.random() < 0.4 else "Produce"
    if api == "Produce" and dice.random() < 0.06:
        api = dice.choice(("Metadata", "InitProducerId", "ApiVersions"))
        verb = dice.choice(GENTLE)
    nth = _count(dice) if api == "Produce" else dice.randint(1, 5)
    match verb:
        case "answer_with":
            return _refusal(dice, nth, Refusal(api, "") if api != "Produce" else None)
        case "drop_response" | "drop_request":
            return Fault(verb, api, nth, reset=dice.random() < 0.6)
        case "delay":
            seconds = dice.choice((0.05, 0.2, 0.8, 1.0))
            return Fault(verb, api, nth, forward=dice.random() < 0.5, seconds=seconds)
        case "hold":
            return Fault(verb, api, nth, forward=dice.random() < 0.5, until=dice.randint(1, 8))
        case _:
            return Fault(verb, api, nth)


def _refusal(dice: Random, nth: int, coordination: Refusal | None) -> Fault:
    if coordination is not None:
        chosen = dice.choice([each for each in COORDINATION if each.api == coordination.api])
        return Fault("answer_with", chosen.api, nth, dice.choice((1, 1, 2)), chosen.error, chosen.done)
    chosen = dice.choice(ERRORS)
    partition = (dice.randrange(TOPICS), dice.randrange(PARTITIONS)) if dice.random() < 0.4 else None
    after_next = not chosen.done and dice.random() < 0.5
    times = 1 if after_next else dice.choice((1, 1, 1, 2, 3, 12))
    return Fault(
        "answer_with",
        "Produce",
        max(1, nth // 4) if partition else nth,
        times=times,
        error=chosen.error,
        forward=chosen.done,
        after_next=after_next,
        partition=partition,
    )


def _node_fault(dice: Random) -> Fault:
    verb: Verb = dice.choice(NODE_VERBS)
    until = dice.randint(5, 60) if verb == "pause" else 0
    return Fault(verb, nth=_count(dice), until=until, broker=dice.randrange(3))


def _count(dice: Random) -> int:
    return dice.randint(1, dice.choice((6, 20, 50)))
