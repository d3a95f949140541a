"""Chapter 05: one pool of memory, and how long send() waits."""

from __future__ import annotations

import time
from typing import Any

from kafkalab.course.teeth.mutants import shared
from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import accumulator, batch, produce, producer, record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.producer import Producer
from kafkalab.producer.record_batch import HEADER_SIZE

# --- memory ---------------------------------------------------------------------------------------


@mutant("memory", killer="4.3.4-per-partition")
def never_released() -> None:
    """Memory is not given back."""
    around(BufferPool, "release", lambda original, self, size: None)


@mutant("memory", killer="4.3.4-per-partition")
def half_released() -> None:
    """Half of the memory is given back."""
    around(BufferPool, "release", lambda original, self, size: original(self, size // 2))


@mutant("memory", killer="4.3.4-max-block")
def memory_per_partition() -> None:
    """Each partition has memory of its own."""
    shared.give_each_partition_memory()


@mutant("memory", killer="4.3.4-max-block")
def no_limit() -> None:
    """There is as much memory as anybody wants."""

    def reserve(original: Any, self: Any, size: int, deadline: float, on_wait: Any = None) -> None:
        self.available -= size

    around(BufferPool, "reserve", reserve)


@mutant("memory", killer="4.3.4-total")
def only_what_is_used() -> None:
    """A batch takes the memory of its first record, not batch_size."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        size = HEADER_SIZE + record_batch.record_size(record_batch.body_size(record))
        pool = self.pool
        taken = pool.available
        future = original(self, target, record, deadline)
        pool.available = min(taken, taken - size)
        return future

    around(RecordAccumulator, "open_batch", open_batch)


@mutant("memory", killer="4.3.4-max-block")
def released_when_sent() -> None:
    """Memory is given back as soon as a batch leaves."""

    def drain(original: Any, self: Any, targets: Any, now: float) -> Any:
        drained = original(self, targets, now)
        for each in drained:
            self.pool.release(each.reserved)
            each.reserved = 0
        return drained

    around(RecordAccumulator, "drain", drain)


@mutant("memory", killer="4.3.4-total")
def memory_doubled() -> None:
    """The pool is twice as large as buffer_memory."""

    def made(original: Any, self: Any, total: int, *args: Any) -> None:
        original(self, 2 * total, *args)

    around(BufferPool, "__init__", made)


@mutant("memory", killer="4.3.4-memory-ends-linger")
def linger_first() -> None:
    """A lack of memory hurries nobody."""

    def why(original: Any, self: Any, queue: Any, now: float) -> Any:
        found = original(self, queue, now)
        return None if found == "memory" else found

    around(RecordAccumulator, "why_ready", why)


@mutant("memory", killer="4.3.4-per-partition")
def released_twice() -> None:
    """Memory is given back twice."""
    around(BufferPool, "release", lambda original, self, size: original(self, 2 * size))


# --- blocking -------------------------------------------------------------------------------------


@mutant("blocking", killer="4.3.4-max-block")
def each_wait_its_own() -> None:
    """Metadata and memory may each take max_block_ms."""

    def opened(original: Any, self: Any, target: Any, record: Any, movable: Any, deadline: float) -> Any:
        return original(self, target, record, movable, self._deadline())

    around(Producer, "_open_batch", opened)


@mutant("blocking", killer="4.3.4-max-block")
def no_patience() -> None:
    """Nobody waits for memory."""

    def reserve(original: Any, self: Any, size: int, deadline: float, *args: Any, **options: Any) -> None:
        original(self, size, 0.0, *args, **options)

    around(BufferPool, "reserve", reserve)


@mutant("blocking", killer="4.3.4-max-block")
def twice_as_long() -> None:
    """Waiting takes twice max_block_ms."""

    def deadline(original: Any, self: Any) -> float:
        return time.monotonic() + 2 * float(self.config.max_block_ms) / 1000

    around(Producer, "_deadline", deadline)


@mutant("blocking", killer="4.3.4-throws")
def send_raises() -> None:
    """What should be an error of the future is raised by send()."""

    def refused(original: Any, topic: Any, partition: Any, error: BaseException) -> Any:
        raise error

    around(producer, "failed", refused)


@mutant("blocking", killer="4.3.4-throws")
def callbacks_of_the_refused_unheard() -> None:
    """The callback of a record that got into no batch is never called."""

    def add(original: Any, self: Any, callback: Any) -> None:
        if self.batch >= 0:
            original(self, callback)

    around(DeliveryFuture, "add_done_callback", add)


@mutant("blocking", killer="4.3.4-throws")
def partitions_for_says_nothing() -> None:
    """partitions_for() of an unknown topic returns nothing instead of raising."""

    def partitions_for(original: Any, self: Any, topic: str) -> Any:
        return self.metadata.topics.get(topic)

    around(Producer, "partitions_for", partitions_for)


@mutant("blocking", killer="4.3.4-max-block")
def metadata_take_their_time() -> None:
    """The wait for metadata has no end of its own."""

    def partitions(original: Any, self: Any, topic: str, deadline: float, **options: Any) -> Any:
        return original(self, topic, deadline + 1, **options)

    around(Metadata, "partitions", partitions)


@mutant("blocking", killer="4.3.4-max-block")
def half_the_patience() -> None:
    """send() waits for half of max_block_ms."""
    around(Producer, "_deadline", lambda original, self: original(self) - self.config.max_block_ms / 2000)


_ = accumulator, batch, produce  # imported, so that their own names of what is replaced are replaced, too
