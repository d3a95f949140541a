"""Chapter 01: accumulator, sender."""

from __future__ import annotations

import threading
import time
from typing import Any

from kafkalab.course.teeth.mutants import shared
from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.producer import Producer
from kafkalab.producer.sender import Sender

# --- accumulator ----------------------------------------------------------------------------------


@mutant("accumulator", killer="4.1.1-returns-at-once")
def linger_ignored() -> None:
    """Nothing lingers."""
    around(RecordAccumulator, "_ready_at", lambda original, self, first: first.created)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def send_waits() -> None:
    """send() waits for the acknowledgement."""

    def send(original: Any, self: Any, *args: Any, **options: Any) -> Any:
        future = original(self, *args, **options)
        self.flush()
        return future

    around(Producer, "send", send)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def impatient() -> None:
    """The wait of send() ends after a third of max_block_ms."""
    around(Producer, "_deadline", lambda original, self: time.monotonic() + self.config.max_block_ms / 3000)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def flush_does_nothing() -> None:
    """flush() returns without having sent."""
    around(RecordAccumulator, "flush", lambda original, self: None)


@mutant("accumulator", killer="4.1.1-batch-size-is-the-buffer")
def never_full() -> None:
    """A batch is never full."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.limit = 2**31
        return original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("accumulator", killer="4.1.1-batch-size-is-the-buffer")
def one_batch_a_partition() -> None:
    """Each partition may have one batch only."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        if len(self.queued().get(target, ())):
            self.pool.reserve(self.pool.total, deadline)
        return original(self, target, record, deadline)

    around(RecordAccumulator, "open_batch", open_batch)


@mutant("accumulator", killer="4.1.1-batch-size-is-the-buffer")
def memory_per_partition() -> None:
    """Each partition has memory of its own."""
    shared.give_each_partition_memory()


@mutant("accumulator", killer="4.1.1-returns-at-once")
def never_waits() -> None:
    """The sender takes what is there, ready or not."""
    around(
        RecordAccumulator,
        "why_ready",
        lambda original, self, queue, now: original(self, queue, now) or "linger",
    )


# --- sender ---------------------------------------------------------------------------------------


@mutant("sender", killer="4.1.1-io-thread")
def request_per_batch() -> None:
    """A request carries one batch."""

    def send(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        for batch in batches:
            original(self, node, [batch], now)

    around(Sender, "_send_produce", send)


@mutant("sender", killer="4.1.1-io-thread")
def thread_per_request() -> None:
    """Each request leaves on a thread of its own."""

    def send(original: Any, self: Any, *args: Any) -> None:
        helper = threading.Thread(target=original, args=(self, *args))
        helper.start()
        helper.join()

    around(Sender, "_send_produce", send)


@mutant("sender", killer="4.1.1-io-thread")
def no_batches() -> None:
    """A batch takes one record."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        return None if len(self) else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("sender", killer="exercise interceptor")
def last_record_lost() -> None:
    """What is drained loses its last record."""

    def seal(original: Any, self: Any) -> Any:
        if len(self._records) > 1:
            self._records = self._records[:-1]
            self._count -= 1
        return original(self)

    around(ProducerBatch, "seal", seal)
