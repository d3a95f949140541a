"""Chapter 05: the bytes of a batch, how much goes in, when it leaves, one pool of memory, limits."""

from __future__ import annotations

import struct
import time
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.futures import Delivery
from kafkalab.producer.producer import Producer
from kafkalab.producer.sender import Sender

# --- bytes ----------------------------------------------------------------------------------------


def _header(at: int, form: str, value: int) -> None:
    """Let a field of the batch's header say something else, under a checksum that is right."""

    def encode(original: Any, *args: Any) -> bytes:
        raw = bytearray(original(*args))
        struct.pack_into(form, raw, at, value)
        struct.pack_into(">I", raw, 17, record_batch.crc32c(bytes(raw[21:])))
        return bytes(raw)

    around(record_batch, "encode_batch", encode)


@mutant("bytes", killer="4.3.3-bytes")
def attributes_wrong() -> None:
    """The attributes say that the timestamp is the broker's."""
    _header(21, ">h", 8)


@mutant("bytes", killer="4.3.3-bytes")
def last_offset_wrong() -> None:
    """The header counts one record too few."""
    _header(23, ">i", 1)


@mutant("bytes", killer="4.3.3-bytes")
def crc_wrong() -> None:
    """The checksum leaves the header out."""

    def encode(original: Any, *args: Any) -> bytes:
        raw = bytearray(original(*args))
        struct.pack_into(">I", raw, 17, record_batch.crc32c(bytes(raw[61:])))
        return bytes(raw)

    around(record_batch, "encode_batch", encode)


def _records(change: Any) -> None:
    around(
        record_batch,
        "encode_records",
        lambda original, records: original([change(*each) for each in records]),
    )


@mutant("bytes", killer="4.3.3-bytes")
def one_timestamp_for_all() -> None:
    """All records of a batch get the first one's timestamp."""

    def encode(original: Any, records: Any) -> Any:
        return original([(records[0][0], *record[1:]) for record in records])

    around(record_batch, "encode_records", encode)


@mutant("bytes", killer="4.3.3-bytes")
def no_key_is_an_empty_key() -> None:
    """A record without a key gets an empty one."""
    _records(lambda timestamp, key, *rest: (timestamp, key or b"", *rest))


@mutant("bytes", killer="4.3.3-bytes")
def headers_left_out() -> None:
    """Headers are left out."""
    _records(lambda timestamp, key, value, headers: (timestamp, key, value, ()))


# --- size -----------------------------------------------------------------------------------------


def _limit(change: Any) -> None:
    def new(original: Any, self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self.limit = change(self.limit)

    around(ProducerBatch, "__init__", new)


@mutant("size", killer="4.3.3-batch-size")
def batch_never_full() -> None:
    """A batch is never full."""
    _limit(lambda limit: limit and 2**20)


@mutant("size", killer="4.3.3-batch-size")
def batch_half() -> None:
    """A batch is full at half of batch_size."""
    _limit(lambda limit: limit // 2)


@mutant("size", killer="4.3.3-batch-size")
def header_does_not_count() -> None:
    """A batch may exceed batch_size by its own header."""
    _limit(lambda limit: limit and limit + 61)


@mutant("size", killer="4.3.3-batch-size")
def only_values_count() -> None:
    """Only values count towards batch_size."""
    around(record_batch, "record_size", lambda original, body, *deltas: body - 6)


@mutant("size", killer="4.3.3-batch-size")
def records_count() -> None:
    """A batch takes a hundred records, whatever their size."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.limit = self.limit and 2**20
        return None if len(self) >= 100 else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("size", killer="4.8.1-batch-size-per-send")
def request_as_large_as_a_batch() -> None:
    """A request carries one batch."""

    def send(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        for batch in batches:
            original(self, node, [batch], now)

    around(Sender, "_send_produce", send)


# --- linger ---------------------------------------------------------------------------------------


def _ready_at(replacement: Any) -> None:
    around(RecordAccumulator, "_ready_at", replacement)


@mutant("linger", killer="4.3.3-linger")
def linger_ignored() -> None:
    """Nothing lingers."""
    _ready_at(lambda original, self, first: first.created)


@mutant("linger", killer="4.3.3-linger")
def linger_wound_up() -> None:
    """Each record starts the clock of linger_ms anew."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        index = original(self, record, body)
        if index is not None:
            self.created = time.monotonic()
        return index

    around(ProducerBatch, "try_append", append)


@mutant("linger", killer="4.3.3-linger")
def linger_in_seconds() -> None:
    """linger_ms is taken for seconds."""
    _ready_at(lambda original, self, first: first.created + self.config.linger_ms)


@mutant("linger", killer="4.3.3-linger")
def linger_twice_as_long() -> None:
    """A batch waits for twice linger_ms."""
    _ready_at(lambda original, self, first: first.created + self.config.linger_ms / 500)


@mutant("linger", killer="4.3.3-linger")
def close_lingers() -> None:
    """close() lets batches linger."""

    def why(original: Any, self: Any, queue: Any, now: float) -> Any:
        found = original(self, queue, now)
        return None if found == "close" else found

    around(RecordAccumulator, "why_ready", why)


@mutant("linger", killer="exercise linger_rule")
def asked_too_late() -> None:
    """Nobody looks after a record has come, only after linger_ms."""

    def append(original: Any, self: Any, target: Any, record: Any) -> Any:
        wakeup, self.wakeup = self.wakeup, lambda: None
        try:
            return original(self, target, record)
        finally:
            self.wakeup = wakeup

    around(RecordAccumulator, "try_append", append)


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
