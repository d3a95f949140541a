"""Records as bytes: the record batch, format 2 (KIP-98; Java: `DefaultRecordBatch`, `DefaultRecord`).

A batch is a 61-byte header and its records. The header is big-endian and holds what is said once
for all: base offset (written by the broker), base timestamp, producer id, epoch and base sequence.
A record holds differences to it, as zigzag varints, and its key, value and headers:

    length  attributes  timestamp delta  offset delta  |key| key  |value| value  headers

Rules: the CRC-32C covers everything from `attributes` on, so the broker may set the base offset
without computing it anew; a null key or value has length -1; only the records are compressed.

Leaves out: reading. The brokers, and consumers that are not ours, do that.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from crc32c import crc32c

from kafkalab.producer.record import Header


class RawRecord(NamedTuple):
    """A record as the brokers see it: timestamp in ms since 1970, serialized key and value, headers."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()


_FRAME = struct.Struct(">qiibI")  # base offset, length, partition leader epoch, magic, crc
_CHECKED = struct.Struct(">hiqqqhii")  # attributes, last offset delta, timestamps, producer, count
HEADER_SIZE = _FRAME.size + _CHECKED.size
_LENGTH_STARTS = 12  # the length counts what follows base offset and length
_MAGIC = 2
_TRANSACTIONAL = 0x10
_LEADER_EPOCH = 0  # the broker writes its own, like the base offset; neither is under the CRC


class ProducerState(NamedTuple):
    """Who wrote the batch, for the broker to recognise it again; all -1 without idempotence."""

    producer_id: int = -1
    epoch: int = -1
    base_sequence: int = -1
    transactional: bool = False


def encode_batch(
    records: Sequence[RawRecord],
    state: ProducerState = ProducerState(),  # noqa: B008 - immutable
    codec: int = 0,
    compress: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """Return the batch of `records` (at least one), compressed by `compress` and marked with `codec`."""
    payload = encode_records(records)
    if compress is not None:
        payload = compress(payload)
    timestamps = [record.timestamp_ms for record in records]
    last = len(records) - 1
    attributes = codec | _TRANSACTIONAL * state.transactional
    checked = _CHECKED.pack(attributes, last, timestamps[0], max(timestamps), *state[:3], last + 1)
    length = HEADER_SIZE - _LENGTH_STARTS + len(payload)
    crc = crc32c(payload, crc32c(checked))
    return b"".join((_FRAME.pack(0, length, _LEADER_EPOCH, _MAGIC, crc), checked, payload))


def encode_records(records: Sequence[RawRecord]) -> bytes:
    """Return the records one after the other, numbered from 0, timed from the first."""
    base = records[0].timestamp_ms
    encoded: list[bytes] = []
    for offset_delta, (timestamp, key, value, headers) in enumerate(records):
        body = b"".join(
            (
                b"\0",  # attributes: none are defined for a record
                varint(timestamp - base),
                varint(offset_delta),
                _NULL if key is None else varint(len(key)) + key,
                _NULL if value is None else varint(len(value)) + value,
                encode_headers(headers) if headers else b"\0",
            )
        )
        encoded += varint(len(body)), body
    return b"".join(encoded)


def encode_headers(headers: Sequence[Header]) -> bytes:
    """Return the count of headers, then name and value of each."""
    parts = [varint(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        parts += varint(len(encoded)), encoded
        parts += (_NULL,) if value is None else (varint(len(value)), value)
    return b"".join(parts)


def record_size(record: RawRecord, offset_delta: int = 0, timestamp_delta: int = 0) -> int:
    """Return how many bytes the record will take in the batch, without encoding it."""
    _, key, value, headers = record
    size = 5 + (len(encode_headers(headers)) if headers else 1)  # five parts of a byte, unless they need more
    if not 0 <= timestamp_delta < 64:
        size += len(varint(timestamp_delta)) - 1
    if offset_delta >= 64:
        size += len(varint(offset_delta)) - 1
    if key is not None:
        size += len(varint(len(key))) - 1 + len(key)
    if value is not None:
        size += len(varint(len(value))) - 1 + len(value)
    return size + len(varint(size))


def _zigzag(number: int) -> bytes:
    """Encode a signed number in 7-bit groups, low first, small magnitudes short."""
    rest = number << 1 ^ number >> 63
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


_SMALL = [_zigzag(number) for number in range(8192)]  # all that take one or two bytes
_NULL = _zigzag(-1)


def varint(number: int) -> bytes:
    """Return `number` as a zigzag varint; lengths and deltas are nearly always in the table."""
    return _SMALL[number] if 0 <= number < 8192 else _zigzag(number)
