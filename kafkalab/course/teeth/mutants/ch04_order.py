"""Chapter 04: the order of records when some are tried again."""

from __future__ import annotations

from collections import deque
from typing import Any

from kafkalab.course.teeth.mutants import shared
from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.ordering import Verdict
from kafkalab.producer.sender import Sender


@mutant("order", killer="4.3.2-one-in-flight")
def retries_go_to_the_end() -> None:
    """A retry goes to the end of the queue."""

    def insert(original: Any, self: Any, batch: Any) -> None:
        self._queues.setdefault(batch.target, deque()).append(batch)

    around(RecordAccumulator, "_insert", insert)


@mutant("order", killer="4.3.2-one-in-flight")
def others_do_not_wait() -> None:
    """What is behind a batch that backs off does not wait for it."""

    def ready(original: Any, self: Any, now: float) -> Any:
        with self._lock:
            for queue in self._queues.values():
                if len(queue) > 1 and now < queue[0].not_before:
                    queue.rotate(-1)
        return original(self, now)

    around(RecordAccumulator, "ready", ready)


@mutant("order", killer="4.3.2-since-1.1")
def in_flight_ignored() -> None:
    """The limit of requests in flight is ignored."""

    def can_send(original: Any, self: Any, node: int, now: float) -> Any:
        connection = self._connections.get(node)
        return original(self, node, now) if connection is None else connection.is_open(now)

    around(NetworkClient, "can_send", can_send)


@mutant("order", killer="4.3.2-five-in-flight")
def never_numbered() -> None:
    """An idempotent producer forgets to number its batches."""
    shared.leave_numbers_out()


@mutant("order", killer="4.3.2-five-in-flight")
def out_of_order_is_final() -> None:
    """A batch that the broker finds out of order fails."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return Verdict.FAIL if getattr(error, "errno", 0) == 45 else original(self, batch, error)

    around(Idempotence, "judge", judge)


@mutant("order", killer="4.3.2-five-in-flight")
def one_at_a_time_after_all() -> None:
    """An idempotent producer has one batch of a partition in flight."""

    def admits(original: Any, self: Any, batch: Any) -> bool:
        return bool(original(self, batch)) and not (batch.stamp is None and self._line(batch).out)

    around(Idempotence, "admits", admits)


@mutant("order", killer="4.3.2-retries-reorder")
def refused_in_silence() -> None:
    """A refused batch is taken for acknowledged."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        self._acknowledge(batch, 0)

    around(Sender, "_on_error", on_error)


@mutant("order", killer="exercise order")
def ordering_ignored() -> None:
    """Whoever is asked whether a batch may leave is not listened to."""
    around(Sender, "__init__", _deaf)


def _deaf(original: Any, self: Any, config: Any, accumulator: Any, *rest: Any) -> None:
    original(self, config, accumulator, *rest)
    accumulator.admits = lambda _: True
