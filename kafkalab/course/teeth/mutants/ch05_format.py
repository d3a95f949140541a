"""Chapter 05: the batch format, and how much goes into a batch."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import accumulator, batch, produce, record_batch
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.record_batch import HEADER_SIZE

# --- the batch format -----------------------------------------------------------------------------


def _header(at: int, layout: str, change: Callable[[int], int]) -> None:
    """Let a number of the header be another one."""

    def encode(original: Any, *args: Any) -> bytes:
        raw = bytearray(original(*args))
        (number,) = struct.unpack_from(layout, raw, at)
        struct.pack_into(layout, raw, at, change(number))
        return bytes(raw)

    around(record_batch, "encode_batch", encode)


@mutant("format", killer="4.3.3-bytes")
def latest_is_the_first() -> None:
    """The batch's latest timestamp is that of its first record."""

    def encode(original: Any, self: Any, records: Any) -> Any:
        payload = original(self, records)
        return payload._replace(max_timestamp=payload.base_timestamp)

    around(ProducerBatch, "_encode", encode)


@mutant("format", killer="4.3.3-bytes")
def crc_wrong() -> None:
    """The checksum is one off."""
    _header(17, ">I", lambda crc: crc ^ 1)


@mutant("format", killer="4.3.3-bytes")
def attributes_wrong() -> None:
    """The attributes speak of gzip, and nothing is compressed."""
    _header(21, ">h", lambda attributes: attributes | 1)


@mutant("format", killer="4.3.3-bytes")
def length_of_everything() -> None:
    """The length counts itself and what stands before it, too."""
    _header(8, ">i", lambda length: length + 12)


@mutant("format", killer="4.3.3-bytes")
def last_offset_is_the_count() -> None:
    """The last offset delta is one too large."""
    _header(23, ">i", lambda delta: delta + 1)


def _records(change: Callable[[int, Any], Any]) -> None:
    """Let records be others before they become bytes."""

    def encode(original: Any, records: Any) -> bytes:
        return bytes(original([change(number, each) for number, each in enumerate(records)]))

    around(record_batch, "encode_records", encode)


@mutant("format", killer="4.3.3-bytes")
def no_time_deltas() -> None:
    """All records have the first one's timestamp."""
    first: list[int] = []

    def change(number: int, record: Any) -> Any:
        first[:] = first if number else [record[0]]
        return (first[0], *record[1:])

    _records(change)


@mutant("format", killer="4.3.3-bytes")
def null_is_empty() -> None:
    """A key that is null becomes an empty one."""
    _records(lambda _, record: (record[0], record[1] or b"", *record[2:]))


@mutant("format", killer="4.3.3-bytes")
def headers_dropped() -> None:
    """Headers are left out."""
    _records(lambda _, record: (*record[:3], ()))


@mutant("format", killer="4.3.3-bytes")
def no_zigzag() -> None:
    """Varints are not zigzag: 1 is 01, and -1 takes ten bytes."""

    def plain(number: int) -> bytes:
        rest, encoded = number % 2**64, bytearray()
        while rest > 0x7F:
            encoded.append(rest & 0x7F | 0x80)
            rest >>= 7
        return bytes([*encoded, rest])

    broken = type(record_batch.VARINT)()
    broken.update({number: plain(number) for number in list(record_batch.VARINT)})
    setattr(record_batch, "VARINT", broken)  # noqa: B010 - it is Final, and we are vandals


# --- size -----------------------------------------------------------------------------------------


def _limit(change: Callable[[Any], int]) -> None:
    """Let a batch have another limit."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        kept, self.limit = self.limit, change(self)
        try:
            return original(self, record, body)
        finally:
            self.limit = kept

    around(ProducerBatch, "try_append", append)


@mutant("size", killer="4.3.3-batch-size")
def never_full() -> None:
    """A batch is never full."""
    _limit(lambda _: 2**31)


@mutant("size", killer="4.3.3-batch-size")
def header_not_counted() -> None:
    """The header's 61 bytes are not counted."""
    _limit(lambda self: self.limit + HEADER_SIZE)


@mutant("size", killer="4.3.3-batch-size")
def half_full() -> None:
    """Half of the bytes are enough."""
    _limit(lambda self: self.limit // 2)


@mutant("size", killer="4.3.3-batch-size")
def zero_is_no_limit() -> None:
    """A batch_size of 0 means as much as comes."""

    def made(original: Any, self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self.limit = self.limit or 2**31

    around(ProducerBatch, "__init__", made)


@mutant("size", killer="4.3.3-batch-size")
def offsets_take_no_room() -> None:
    """Offset deltas of two bytes are counted as one."""

    def size(original: Any, body: int, offset_delta: int = 0, timestamp_delta: int = 0) -> int:
        return int(original(body, 0, timestamp_delta))

    around(record_batch, "record_size", size)


@mutant("size", killer="4.3.3-batch-size")
def records_count() -> None:
    """A batch takes a hundred records, whatever their size."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.limit = self.limit and 2**20
        return None if len(self) >= 100 else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("size", killer="4.3.3-batch-size")
def only_contents_count() -> None:
    """Of a record only key, value and headers are counted."""
    around(record_batch, "record_size", lambda original, body, *deltas: body - 6)


_ = accumulator, batch, produce  # imported, so that their own names of what is replaced are replaced, too
