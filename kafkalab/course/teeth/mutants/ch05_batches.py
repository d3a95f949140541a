"""Chapter 05: the bytes of a batch, how much goes in, when it leaves."""

from __future__ import annotations

import struct
import time
from typing import Any

from crc32c import crc32c

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.sender import Sender

# --- bytes ----------------------------------------------------------------------------------------


def _header(at: int, form: str, value: int) -> None:
    """Let a field of the batch's header say something else, under a checksum that is right."""

    def encode(original: Any, *args: Any) -> bytes:
        raw = bytearray(original(*args))
        struct.pack_into(form, raw, at, value)
        struct.pack_into(">I", raw, 17, crc32c(bytes(raw[21:])))
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
        struct.pack_into(">I", raw, 17, crc32c(bytes(raw[61:])))
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
