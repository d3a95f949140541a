"""Chapter 00: the number of copies that outlives two of three brokers."""

from __future__ import annotations

from typing import Any

from kafkalab.cluster import WaitTimeoutError
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer


class ThreeCopies:
    """One copy more than brokers may die."""

    def replication_factor(self) -> int:
        """Return the number of copies."""
        return 3


def check(answer: Any, bench: Bench) -> Result:
    """Store a record with that many copies, kill two brokers one after the other, look for the record."""
    copies = answer.replication_factor()
    brokers = bench.cluster.broker_ids
    if not isinstance(copies, int) or not 1 <= copies <= len(brokers):
        return Result("wrong", f"{copies!r} copies: this cluster can keep 1 to {len(brokers)}, one a broker.")
    topic = bench.topic("copies", partitions=1, assignment=[brokers[:copies]])
    with Producer(bootstrap_servers=bench.cluster.bootstrap_servers) as producer:
        producer.send(topic, b"precious").result(timeout=30)
    try:
        return judge(bench.cluster, topic, copies)
    finally:
        bench.cluster.heal()


def judge(cluster: Any, topic: str, copies: int) -> Result:
    """Kill the leader twice; return whether the record can still be read."""
    for deaths in (1, 2):
        victim = cluster.leader(topic, 0)
        cluster.kill(victim)
        try:
            cluster.wait_leader(topic, 0, other_than=victim, timeout=10)
        except WaitTimeoutError:
            message = f"With copies={copies} nobody could take over after {deaths} death(s): no broker leads."
            return Result("wrong", message, f"partition 0: leader {cluster.leader(topic, 0)}")
    (record,) = cluster.read(topic)
    return Result(
        "correct", f"Two brokers are dead, and broker {cluster.leader(topic, 0)} still has {record.value!r}."
    )


class OneCopy(ThreeCopies):
    """Wrong: the only copy dies with its broker."""

    def replication_factor(self) -> int:
        """Return Kafka's default."""
        return 1


class TwoCopies(ThreeCopies):
    """Wrong: as many copies as deaths leave none."""

    def replication_factor(self) -> int:
        """Return as many as brokers die."""
        return 2


class TooMany(ThreeCopies):
    """Wrong: a broker keeps one copy at most."""

    def replication_factor(self) -> int:
        """Return more than there are brokers."""
        return 4


EXERCISE = Exercise(
    chapter="00",
    name="copies",
    prompt=(
        "Two brokers will be killed, one after the other, without warning. Let replication_factor() return "
        "the smallest number of copies with which the record can still be read afterwards."
    ),
    hints=(
        "A copy dies with its broker. How many are left after two deaths?",
        "With n copies, n - 1 brokers may die. This cluster has three brokers.",
    ),
    method="replication_factor",
    solution=ThreeCopies,
    check=check,
    wrong={"one copy": OneCopy, "as many as deaths": TwoCopies, "more than brokers": TooMany},
)
