"""Chapter 09: review settings. What can happen with them? The cluster puts each pair through four faults.

The quick faults come first, for all pairs at once: an answer lost, a record refused. Then the brokers' turn:
the followers freeze until the leader is alone in sync, records are sent, the leader dies. What a pair of
settings suffered is what a review has to say of it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kafkalab.cluster.polling import wait_until
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy, SentLog, audit
from kafkalab.producer import Producer

COPIES, IN_SYNC = "replication.factor", "min.insync.replicas"
THREE = {COPIES: "3", IN_SYNC: "2"}
ONE_AT_A_TIME = {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}
DANGERS = ("lost", "twice", "out of order", "given up")
WAIT_S = 30.0


class Reviewer:
    """Ask of each danger what keeps it away."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Return which of "lost", "twice", "out of order" and "given up" can happen."""
        everybody = producer.get("acks", "all") == "all"
        retries = producer.get("retries", 1) > 0
        idempotent = producer.get("enable_idempotence", True) and everybody and retries
        one = producer.get("max_in_flight_requests_per_connection", 5) == 1
        two_have_it = everybody and min(int(number) for number in topic.values()) >= 2
        dangers = {
            "lost": not two_have_it,
            "twice": retries and not idempotent,
            "out of order": retries and not idempotent and not one,
            "given up": not retries,
        }
        return {danger for danger, can_happen in dangers.items() if can_happen}


class Case(NamedTuple):
    """Settings to review: the producer's, and the topic's."""

    producer: Mapping[str, Any]
    topic: Mapping[str, str]

    def __str__(self) -> str:
        return f"producer {dict(self.producer)}, topic {dict(self.topic)}"


CASES = (
    Case({}, THREE),
    Case({"acks": "all", **ONE_AT_A_TIME}, THREE),
    Case({"enable_idempotence": False}, THREE),
    Case({"retries": 0}, THREE),
    Case({"acks": 1}, THREE),
    Case({"acks": "all", "enable_idempotence": True}, {COPIES: "3", IN_SYNC: "1"}),
    Case({"acks": "all"}, {COPIES: "1", IN_SYNC: "2"}),
    Case({"acks": 1, "retries": 0, **ONE_AT_A_TIME}, THREE),
)


class Trial(NamedTuple):
    """A case with its topic and its producer."""

    case: Case
    topic: str
    producer: Producer

    def send(self, *values: bytes) -> SentLog:
        """Send them all at once, and keep book."""
        book = SentLog()
        for value in values:
            book.watch(value, self.producer.send(self.topic, value))
        return book


def check(answer: Any, bench: Bench) -> Result:
    """Ask for all reviews, then compare: first with the quick faults, then with what the brokers do."""
    said = []
    for case in CASES:
        said.append(answer.review(dict(case.producer), dict(case.topic)))
        if not isinstance(said[-1], set) or not said[-1] <= set(DANGERS):
            allowed = ", ".join(map(repr, DANGERS))
            return Result("wrong", f"review() returned {said[-1]!r}: return a set of {allowed}.", str(case))
    servers, security = bench.cluster.bootstrap_servers, bench.cluster.security
    with FaultProxy(servers, security) as proxy, _trials(bench, proxy.bootstrap_servers) as trials:
        for ordeal in (_quick, _alone):
            for case, saying, suffered in zip(CASES, said, ordeal(bench, proxy, trials), strict=True):
                if fault := _fault(saying, suffered):
                    return Result("wrong", fault, str(case))
    return Result("correct", f"{len(CASES)} reviews, and the cluster says the same of each danger.")


def _fault(said: set[str], suffered: Mapping[str, bool]) -> str | None:
    for danger, happened in suffered.items():
        if happened and danger not in said:
            return f'Nothing was said of "{danger}", and it happened.'
        if danger in said and not happened:
            return f'You say "{danger}"; the fault that would do it did no such harm.'
    return None


@contextlib.contextmanager
def _trials(bench: Bench, servers: str) -> Iterator[list[Trial]]:
    """Make topics and producers, each with one record acknowledged."""
    trials = []
    try:
        for number, case in enumerate(CASES):
            brokers = bench.cluster.broker_ids[: int(case.topic[COPIES])]
            config = {IN_SYNC: case.topic[IN_SYNC]}
            topic = bench.topic(f"review-{number}", assignment=[brokers], config=config)
            trials.append(Trial(case, topic, _producer(case, servers)))
        for trial in trials:
            trial.send(b"base").tickets[0].wait()
        yield trials
    finally:
        for trial in trials:
            trial.producer.close(timeout=0)
        bench.cluster.heal()


def _producer(case: Case, servers: str) -> Producer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # idempotence that is off because of acks or retries
        return Producer(**case.producer, bootstrap_servers=servers, batch_size=0)


def _quick(bench: Bench, proxy: FaultProxy, trials: list[Trial]) -> list[dict[str, bool]]:
    """Lose an answer of each, then refuse a record of each while the next one is under way."""
    for trial in trials:
        proxy.drop_response("Produce", topic=trial.topic, reset=True)
    first = _settled([trial.send(b"first") for trial in trials])
    for trial in trials:
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", topic=trial.topic, after_next=True)
    second = _settled([trial.send(b"second", b"third") for trial in trials])
    return [
        {
            "twice": bool((once := _audited(bench, trial, one)).duplicated),
            "out of order": bool((then := _audited(bench, trial, two)).reordered),
            "given up": any(each.outcome == "failed" for each in (*once.sent, *then.sent)),
        }
        for trial, one, two in zip(trials, first, second, strict=True)
    ]


def _alone(bench: Bench, _: FaultProxy, trials: list[Trial]) -> list[dict[str, bool]]:
    """Leave each leader alone in sync, send, kill the leader, let the followers go on."""
    cluster = bench.cluster
    leader, *followers = cluster.broker_ids[:3]
    for node in followers:
        cluster.pause(node)
    for trial in trials:
        cluster.wait_isr(trial.topic, 0, ids=[leader])
    books = [trial.send(b"fourth") for trial in trials]
    for trial, book in zip(trials, books, strict=True):
        if not _strict(trial.case):  # the others are refused while the leader is alone
            book.tickets[0].wait(WAIT_S)
    cluster.kill(leader)
    for node in followers:
        cluster.resume(node)
    cluster.wait_leader(trials[0].topic, 0, other_than=leader)
    return [{"lost": _lost(bench, trial, book)} for trial, book in zip(trials, books, strict=True)]


def _strict(case: Case) -> bool:
    """Tell whether these settings wait for a second broker."""
    return case.producer.get("acks", "all") == "all" and case.topic == THREE


def _lost(bench: Bench, trial: Trial, book: SentLog) -> bool:
    """Tell whether the record was acknowledged, and is out of reach with its leader."""
    if book.tickets[0].outcome != "acked":
        return False
    if bench.cluster.leader(trial.topic, 0) in (None, bench.cluster.broker_ids[0]):
        return True
    return bool(audit(bench.cluster, trial.topic, book.sent).lost)


def _settled(books: list[SentLog]) -> list[SentLog]:
    for book in books:
        for ticket in book.tickets:
            ticket.wait(WAIT_S)
    return books


def _audited(bench: Bench, trial: Trial, book: SentLog) -> Any:
    def ends() -> Any:
        return bench.cluster.offsets(trial.topic, 0)

    wait_until("all is copied", ends, lambda at: bool(at.high_watermark == at.log_end))
    return audit(bench.cluster, trial.topic, book.sent)


class BlindForTopics(Reviewer):
    """Wrong: half of the recipe is the topic's."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Take every topic for a safe one."""
        return super().review(producer, THREE)


class BelievesTheNumber(Reviewer):
    """Wrong: of one copy, two cannot be in sync; the broker counts what there is."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Look at min.insync.replicas only."""
        return super().review(producer, {IN_SYNC: topic[IN_SYNC]})


class CountsCopies(Reviewer):
    """Wrong: three copies do not help when one in sync is enough."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Look at the number of copies only."""
        return super().review(producer, {COPIES: topic[COPIES]})


class AlwaysIdempotent(Reviewer):
    """Wrong: acks=1 switches idempotence off."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Believe in the default."""
        said = super().review(producer, topic)
        return said if producer.get("enable_idempotence") is False else said - {"twice", "out of order"}


class OneInFlightIsEnough(Reviewer):
    """Wrong: one in flight orders; it does not recognise what comes again."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Take the old recipe for exactly once."""
        said = super().review(producer, topic)
        return said - {"twice"} if producer.get("max_in_flight_requests_per_connection") == 1 else said


class NoRetriesIsLoss(Reviewer):
    """Wrong: what is given up was never acknowledged, and so is not lost."""

    def review(self, producer: Mapping[str, Any], topic: Mapping[str, str]) -> set[str]:
        """Call it lost."""
        said = super().review(producer, topic)
        return said - {"given up"} | {"lost"} if "given up" in said else said


EXERCISE = Exercise(
    chapter="09",
    name="review",
    prompt=(
        "Write review(producer, topic): which dangers do these settings leave? Both are dicts, such as "
        '{"acks": 1, "enable_idempotence": False} (also retries, max_in_flight_requests_per_connection; what '
        'is not named has its default) and {"replication.factor": "3", "min.insync.replicas": "2"}. Return a '
        'set of "lost" (acknowledged, and gone with its leader), "twice", "out of order" and "given up" (an '
        "error after a moment's trouble). The cluster puts eight pairs to the test; it takes a quarter of a "
        "minute."
    ),
    hints=(
        (
            "Go danger by danger: what keeps it away, or is its cause not there at all? "
            "Without retries nothing comes twice. And what switches idempotence off, besides its own name?"
        ),
        (
            "idempotent: enable_idempotence (True if not named), acks='all' and retries > 0. Not lost: "
            "acks='all', and both numbers of the topic are at least 2."
        ),
    ),
    method="review",
    solution=Reviewer,
    check=check,
    wrong={
        "topics overlooked": BlindForTopics,
        "one in flight is exactly once": OneInFlightIsEnough,
        "idempotent by default, come what may": AlwaysIdempotent,
        "not retried means lost": NoRetriesIsLoss,
        "min.insync.replicas of one copy": BelievesTheNumber,
        "three copies are enough": CountsCopies,
    },
)
