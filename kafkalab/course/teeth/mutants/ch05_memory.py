"""Chapter 05: one pool of memory, and limits."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.futures import Delivery
from kafkalab.producer.producer import Producer
from kafkalab.producer.sender import Sender

# --- one pool -------------------------------------------------------------------------------------


@mutant("pool", killer="4.3.4-per-partition")
def pool_per_partition() -> None:
    """Each partition has memory of its own."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        pools = vars(self).setdefault("pools", {})
        self.pool = pools.setdefault(target, BufferPool(self.config.buffer_memory))
        return original(self, target, record, deadline)

    around(RecordAccumulator, "open_batch", open_batch)


@mutant("pool", killer="4.3.4-per-partition")
def memory_never_released() -> None:
    """Memory never comes back."""
    around(BufferPool, "release", lambda original, self, size: None)


@mutant("pool", killer="4.3.4-per-partition")
def memory_released_twice() -> None:
    """Memory comes back twice."""
    around(BufferPool, "release", lambda original, self, size: original(self, 2 * size))


@mutant("pool", killer="4.3.4-total")
def only_what_is_used() -> None:
    """A batch reserves the bytes of its first record only."""

    def reserve(original: Any, self: Any, size: int, *rest: Any, **options: Any) -> Any:
        return original(self, min(size, 2000), *rest, **options)

    around(BufferPool, "reserve", reserve)


@mutant("pool", killer="4.3.4-max-block")
def two_deadlines() -> None:
    """Metadata and memory may each take max_block_ms."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, movable: Any, deadline: float) -> Any:
        return original(self, target, record, movable, self._deadline())

    around(Producer, "_open_batch", open_batch)


@mutant("pool", killer="4.3.4-max-block")
def max_block_early() -> None:
    """send() waits for half of max_block_ms."""
    around(Producer, "_deadline", lambda original, self: original(self) - self.config.max_block_ms / 2000)


@mutant("pool", killer="4.3.4-max-block")
def max_block_late() -> None:
    """send() waits for twice max_block_ms."""
    around(Producer, "_deadline", lambda original, self: original(self) + self.config.max_block_ms / 1000)


@mutant("pool", killer="4.3.4-throws")
def failure_not_told() -> None:
    """The callback of a record that was never sent is not called."""

    def add(original: Any, self: Any, future: Any, callback: Any) -> None:
        if self.batch >= 0:
            original(self, future, callback)

    around(Delivery, "add_callback", add)


# --- limits ---------------------------------------------------------------------------------------


@mutant("limits", killer="4.3.3-oversize")
def request_size_ignored() -> None:
    """max_request_size is not checked."""
    around(record_batch, "check_size", lambda original, record, most: None)


@mutant("limits", killer="4.3.3-oversize")
def halves_swapped() -> None:
    """A batch that is too large is split, and its second half goes first."""

    def split(original: Any, self: Any) -> Any:
        first, second = original(self)
        first.part, second.part = second.part, first.part
        return [first, second]

    around(ProducerBatch, "split", split)


@mutant("limits", killer="4.3.3-oversize")
def large_record_shares() -> None:
    """A record larger than batch_size goes into the open batch."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        limit = self.limit
        self.limit = 2**31 if body > limit else limit
        index = original(self, record, body)
        self.limit = limit
        return index

    around(ProducerBatch, "try_append", append)


@mutant("limits", killer="4.3.3-oversize")
def split_into_singles() -> None:
    """A batch that is too large is split into records at once."""

    def split(original: Any, self: Any) -> Any:
        halves = original(self)
        self.delivery.split([])
        return [one for half in halves for one in (split(original, half) if len(half) > 1 else [half])]

    around(ProducerBatch, "split", split)


@mutant("limits", killer="4.3.3-oversize")
def too_large_is_retried() -> None:
    """What the broker finds too large is sent to it once more."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        if getattr(error, "errno", 0) == 10 and batch.attempts == 1 and len(batch) == 1:
            self._retry(batch, error, renumber=False)
        else:
            original(self, batch, error)

    around(Sender, "_on_error", on_error)
