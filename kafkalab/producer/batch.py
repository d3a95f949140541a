"""ProducerBatch: the records of one partition that travel together (Java: `ProducerBatch`).

    OPEN ── full, lingered, flushed ──▶ IN_FLIGHT ── acknowledged or failed ──▶ DONE
                                          │    ▲
                                          ▼    │ after a back-off
                                         WAITING (to be sent again)

An open batch is a list of tuples; it becomes bytes once, when it is first drained, and keeps those
bytes for every retry: a batch never changes after it may have been stored.

Leaves out: who holds the lock (the accumulator does, while the batch is open).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from kafkalab.producer.futures import Delivery, DeliveryFuture
from kafkalab.producer.record_batch import HEADER_SIZE, ProducerState, RawRecord, encode_batch, record_size


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class BatchState(Enum):
    """Where a batch is in its life."""

    OPEN = "open"
    IN_FLIGHT = "in flight"
    WAITING = "waiting"
    DONE = "done"


NEXT_STATES = {
    BatchState.OPEN: {BatchState.IN_FLIGHT, BatchState.DONE},
    BatchState.IN_FLIGHT: {BatchState.WAITING, BatchState.DONE},
    BatchState.WAITING: {BatchState.IN_FLIGHT, BatchState.DONE},
    BatchState.DONE: set(),
}


class ProducerBatch:
    """One batch of one partition.

    `number` counts the producer's batches, `created` is `time.monotonic()` seconds, `limit` the size in
    bytes it should not exceed, `reserved` the bytes of buffer_memory it holds.
    """

    def __init__(
        self, target: TopicPartition, number: int, created: float, limit: int, reserved: int
    ) -> None:
        self.target = target
        self.number = number
        self.created = created
        self.limit = limit
        self.reserved = reserved
        self.delivery = Delivery(*target)
        self.state = BatchState.OPEN
        self.size = HEADER_SIZE
        self.attempts = 0
        self.not_before = 0.0
        self.last_error: BaseException | None = None
        self.stamp: ProducerState | None = None
        self.maybe_stored = False
        self._records: list[RawRecord] = []
        self._encoded: bytes | None = None

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return (
            f"<batch {self.number} of {self.target}: {len(self)} records, {self.size} B, {self.state.value}>"
        )

    @property
    def full(self) -> bool:
        """Whether the target size is reached."""
        return self.size >= self.limit

    def try_append(self, record: RawRecord) -> DeliveryFuture | None:
        """Add a record and return its future; None when it does not fit. The first one always fits."""
        index = len(self._records)
        elapsed = record.timestamp_ms - self._records[0].timestamp_ms if index else 0
        size = self.size + record_size(record, index, elapsed)
        if index and size > self.limit:
            return None
        self._records.append(record)
        self.size = size
        return DeliveryFuture(self.delivery, index, record.timestamp_ms)

    def encode(self) -> bytes:
        """Return the batch as bytes: as it stands while it is open, the same ones every time afterwards."""
        if self.state is BatchState.OPEN:
            return encode_batch(self._records)
        if self._encoded is None:
            self._encoded = encode_batch(self._records)
        return self._encoded

    def become(self, state: BatchState) -> None:
        """Move to `state`; raises RuntimeError if the life of a batch has no such step."""
        if state not in NEXT_STATES[self.state]:
            raise RuntimeError(f"{self!r} cannot become {state.value!r}")
        self.state = state
