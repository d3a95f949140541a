"""Chapter 03: settings that lose nothing when the leader dies while it is the only replica in sync.

The check freezes the followers until the ISR is the leader alone, sends records, kills the leader and lets
the followers go on. It looks twice: with the old leader dead, and when it is back.
"""

from __future__ import annotations

import contextlib
from typing import Any

from kafkalab.cluster import WaitTimeoutError
from kafkalab.cluster.polling import wait_until
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import SentLog, audit
from kafkalab.producer import Producer, Trace

RECORDS = [b"order %d" % number for number in range(5)]
PATIENCE_S = 10.0
"""How long an election may take, and then the acknowledgements: in the lab three seconds or so."""
COPIES = "replication.factor"


class Safe:
    """Two brokers have what is acknowledged, a third one is to spare, and the producer is patient."""

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the producer's settings and the topic's."""
        return {"acks": "all"}, {"replication.factor": "3", "min.insync.replicas": "2"}


def check(answer: Any, bench: Bench) -> Result:
    """Make the topic and the producer, put both through it, judge."""
    settings, topic = answer.settings()
    copies = int(topic.get(COPIES, 1))
    if not 1 <= copies <= len(bench.cluster.broker_ids[:3]):
        return Result("wrong", f"{COPIES}={copies}: this cluster can keep 1 to 3 copies.")
    config = {name: str(value) for name, value in topic.items() if name != COPIES}
    name = bench.topic("safe", assignment=[bench.cluster.broker_ids[:copies]], config=config)
    trace = Trace()
    producer = Producer(**{**settings, "bootstrap_servers": bench.cluster.bootstrap_servers, "trace": trace})
    try:
        producer.partitions_for(name)
        return _ordeal(bench.cluster, name, producer, trace)
    finally:
        bench.cluster.heal()
        producer.close(timeout=0)


def _ordeal(cluster: Any, topic: str, producer: Producer, trace: Trace) -> Result:
    leader, *followers = cluster.broker_ids[:3]
    for node in followers:
        cluster.pause(node)
    cluster.wait_isr(topic, 0, ids=[leader])
    book = SentLog()
    for value in RECORDS:
        book.watch(value, producer.send(topic, value))
    _within_patience("the leader has answered", lambda: _all_told(book) or trace.find("retried"))
    cluster.kill(leader)
    for node in followers:
        cluster.resume(node)
    try:
        cluster.wait_leader(topic, 0, other_than=leader, timeout=PATIENCE_S)
    except WaitTimeoutError:
        return Result(
            "wrong",
            f"Broker {leader} is dead, and nobody else may lead: it alone had all that was acknowledged.",
            f"partition 0: leader {cluster.leader(topic, 0)}, replicas {cluster.replicas(topic, 0)}",
        )
    _within_patience("all is acknowledged", lambda: _all_told(book))
    return _judge(cluster, topic, book)


def _judge(cluster: Any, topic: str, book: SentLog) -> Result:
    """Judge with the old leader dead; then heal, and look again."""
    if result := _lost(cluster, topic, book):
        return result
    failed = [ticket for ticket in book.tickets if ticket.outcome == "failed"]
    if failed:
        return Result(
            "wrong",
            "The producer gave up, although all would have been well a few seconds later.",
            f"{failed[0].value!r}: {failed[0].error}",
        )
    waiting = [ticket for ticket in book.tickets if not ticket.told]
    if waiting:
        return Result(
            "wrong",
            "One broker is dead, and the topic can be written no more: that demands too many in sync.",
            f"{waiting[0].value!r} is not acknowledged; ISR {cluster.isr(topic, 0)}",
        )
    cluster.heal()
    return _lost(cluster, topic, book) or Result(
        "correct",
        f"The leader died at the worst moment; all {len(RECORDS)} records were acknowledged and kept.",
    )


def _lost(cluster: Any, topic: str, book: SentLog) -> Result | None:
    seen = audit(cluster, topic, book.sent)
    if seen:
        return None
    return Result("wrong", f"{len(seen.lost)} acknowledged records are lost.", str(seen))


def _all_told(book: SentLog) -> bool:
    return all(ticket.told for ticket in book.tickets)


def _within_patience(what: str, holds: Any) -> None:
    """Wait for it; if it does not come, the judgement will say why."""
    with contextlib.suppress(WaitTimeoutError):
        wait_until(what, holds, timeout=PATIENCE_S)


class OneAck(Safe):
    """Wrong: the topic is safe, the producer does not care."""

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Ask the leader only."""
        producer, topic = super().settings()
        return {**producer, "acks": 1, "enable_idempotence": False}, topic


class AllMayBeOne(Safe):
    """Wrong: min.insync.replicas is 1 by default."""

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Leave it at that."""
        return {"acks": "all"}, {"replication.factor": "3"}


class Unclean(Safe):
    """Wrong: it can always be written, and forgets."""

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Let whoever is left lead."""
        return {"acks": "all"}, {"replication.factor": "3", "unclean.leader.election.enable": "true"}


class NoneToSpare(Safe):
    """Wrong: with all of them demanded, none may die."""

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Demand three of three."""
        producer, topic = super().settings()
        return producer, {**topic, "min.insync.replicas": "3"}


class GivesUp(Safe):
    """Wrong: a refusal is no reason to give up."""

    def settings(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Try once."""
        producer, topic = super().settings()
        return {**producer, "retries": 0, "enable_idempotence": False}, topic


EXERCISE = Exercise(
    chapter="03",
    name="safe",
    prompt=(
        "Both followers freeze until the ISR is the leader alone. Then five records are sent, the leader is "
        "killed, and the followers go on. Let settings() return two dicts, the producer's settings "
        '({"acks": ...}) and the topic\'s ({"replication.factor": ..., ...}), so that every record is '
        "acknowledged while the old leader is still dead, and none that was acknowledged is ever lost."
    ),
    hints=(
        (
            "What must the lone leader do with records that it cannot copy to anybody? Which two settings, "
            "one on each side, make it do that?"
        ),
        'acks="all" with min.insync.replicas=2 of three copies: refused while alone, retried after.',
    ),
    method="settings",
    solution=Safe,
    check=check,
    wrong={
        "acks=1": OneAck,
        "min.insync.replicas left at 1": AllMayBeOne,
        "unclean election": Unclean,
        "three of three": NoneToSpare,
        "no retries": GivesUp,
    },
)
