"""ProducerBatch: the records of one partition that travel together (Java: `ProducerBatch`).

    OPEN ── full, lingered, flushed ──▶ IN_FLIGHT ── acknowledged or failed ──▶ DONE
                                          │    ▲
                                          ▼    │ after a back-off
                                         WAITING (to be sent again)

An open batch is a list of tuples. Once it takes no more, `seal` makes bytes of them, which every attempt
sends: a batch never changes after it may have been stored.

Leaves out: who holds the lock (the accumulator does, while the batch is open).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from kafkalab.producer.compression import Codec
from kafkalab.producer.errors import DeliveryTimeoutError
from kafkalab.producer.futures import Delivery
from kafkalab.producer.record import TopicPartition
from kafkalab.producer.record_batch import (
    HEADER_SIZE,
    NOBODY,
    Payload,
    ProducerState,
    RawRecord,
    body_size,
    decode_records,
    encode_batch,
    encode_records,
    record_size,
)


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
    bytes it should not exceed before compression, `reserved` the bytes of buffer_memory it holds, `full`
    whether it had no room for a record. `stamp`, `maybe_stored` and `void` are the ordering's.
    """

    def __init__(
        self,
        target: TopicPartition,
        number: int,
        created: float,
        limit: int,
        reserved: int,
        codec: Codec | None = None,
    ) -> None:
        self.target = target
        self.number = number
        self.part = 0
        self.created = created
        self.limit = limit
        self.reserved = reserved
        self.delivery = Delivery(target, number)
        self.state = BatchState.OPEN
        self.size = HEADER_SIZE
        self.full = False
        self.attempts = 0
        self.not_before = 0.0
        self.last_error: BaseException | None = None
        self.stamp: ProducerState | None = None
        self.maybe_stored = self.void = False
        self._codec = codec
        self._count = 0
        self._base_timestamp = 0
        self._records: list[RawRecord] = []
        self._payload: Payload | None = None

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return (
            f"<batch {self.number} of {self.target}: {len(self)} records, {self.size} B, {self.state.value}>"
        )

    def try_append(self, record: RawRecord, body: int) -> int | None:
        """Add a record of this `body_size`; return its index, None if it does not fit. The first one fits."""
        index = self._count
        if index == 0:
            self._base_timestamp = record[0]
        size = self.size + record_size(body, index, record[0] - self._base_timestamp)
        if size > self.limit and index:
            return None
        self._records.append(record)
        self._count = index + 1
        self.size = size
        return index

    def seal(self) -> bool:
        """Make bytes of the records, unless it was done; `size` is the size of these bytes then.

        Two threads may do it at the same time: the records go only after the payload has come.
        """
        records = self._records
        if self._payload is not None:
            return False
        self._payload = self._encode(records)
        self.size = HEADER_SIZE + len(self._payload.data)
        self._records = []
        return True

    @property
    def payload(self) -> Payload:
        """The records as bytes: as they stand while the batch is open, the same ones ever after."""
        records = self._records
        return self._payload or self._encode(records)

    def encode(self) -> bytes:
        """Return the batch as bytes: as it stands while it is open, the same ones every time afterwards."""
        return encode_batch(self.payload, self.stamp or NOBODY)

    def become(self, state: BatchState) -> None:
        """Move to `state`; raises RuntimeError if the life of a batch has no such step."""
        if state not in NEXT_STATES[self.state]:
            raise RuntimeError(f"{self!r} cannot become {state.value!r}")
        self.state = state

    def timed_out(self, limit_ms: float) -> DeliveryTimeoutError:
        """Return the error of a batch that was not acknowledged within `limit_ms` (delivery_timeout_ms)."""
        tried = f"{self.attempts} attempts, last error {self.last_error!r}"
        return DeliveryTimeoutError(
            f"{len(self)} records for {self.target} exceeded delivery_timeout_ms={limit_ms:g}: "
            + (tried if self.attempts else "it was never sent")
        )

    def split(self) -> Sequence[ProducerBatch]:
        """Return two batches with half of the records each, to be sent in its place, waiting (KIP-126).

        The futures stay what they are: this batch's outcome is then that of its parts.
        """
        payload = self.payload
        plain = payload.data if self._codec is None else self._codec.decompress(payload.data)
        records = list(decode_records(plain, payload.records, payload.base_timestamp))
        middle = len(records) // 2
        halves = [self._half(0, records[:middle]), self._half(middle, records[middle:])]
        self.delivery.split([(half.part - self.part, half.delivery) for half in halves])
        return halves

    def _half(self, start: int, records: Sequence[RawRecord]) -> ProducerBatch:
        reserved = self.reserved // 2 if start else self.reserved - self.reserved // 2
        half = ProducerBatch(self.target, self.number, self.created, 2**31, reserved, self._codec)
        for record in records:
            half.try_append(record, body_size(record))
        half.part = self.part + start
        half.attempts, half.state = self.attempts, BatchState.WAITING
        half.seal()
        return half

    def _encode(self, records: Sequence[RawRecord]) -> Payload:
        plain = encode_records(records)
        last = max(record[0] for record in records)
        if self._codec is None:
            return Payload(plain, len(records), records[0][0], last)
        return Payload(self._codec.compress(plain), len(records), records[0][0], last, self._codec.id)
