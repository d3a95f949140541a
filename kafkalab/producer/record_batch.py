"""Records as bytes: the record batch, format 2 (KIP-98; Java: `DefaultRecordBatch`, `DefaultRecord`).

A batch is a 61-byte header and its records. The header is big-endian and holds what is said once
for all: base offset (written by the broker), base timestamp, producer id, epoch and base sequence.
A record holds differences to it, as zigzag varints, and its key, value and headers:

    length  attributes  timestamp delta  offset delta  |key| key  |value| value  headers

Rules: the CRC-32C covers everything from `attributes` on, so the broker may set the base offset
without computing it anew; a null key or value has length -1; only the records are compressed.

Leaves out: choosing what goes into a batch (accumulator.py), and the codecs (compression.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from crc32c import crc32c

from kafkalab.producer.errors import RecordTooLargeError
from kafkalab.producer.record import Header

RawRecord: TypeAlias = tuple[int, bytes | None, bytes | None, Sequence[Header]]
"""A record as the brokers see it: timestamp in ms since 1970, serialized key and value, headers."""

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


NOBODY = ProducerState()


class Payload(NamedTuple):
    """Records as bytes, perhaps compressed, and what the batch's header says of them."""

    data: bytes
    records: int
    base_timestamp: int
    max_timestamp: int
    codec: int = 0


def encode_batch(payload: Payload, state: ProducerState = NOBODY) -> bytes:
    """Return the batch: its header, and the payload behind it."""
    data, count, base_timestamp, max_timestamp, codec = payload
    attributes = codec | _TRANSACTIONAL * state.transactional
    checked = _CHECKED.pack(attributes, count - 1, base_timestamp, max_timestamp, *state[:3], count)
    length = HEADER_SIZE - _LENGTH_STARTS + len(data)
    crc = crc32c(data, crc32c(checked))
    return b"".join((_FRAME.pack(0, length, _LEADER_EPOCH, _MAGIC, crc), checked, data))


def encode_records(records: Sequence[RawRecord]) -> bytes:
    """Return the records (at least one) one after the other, numbered from 0, timed from the first."""
    base = records[0][0]
    encoded: list[bytes] = []
    for offset_delta, (timestamp, key, value, headers) in enumerate(records):
        body = b"".join(
            (
                b"\0",  # attributes: none are defined for a record
                VARINT[timestamp - base],
                VARINT[offset_delta],
                _NULL if key is None else VARINT[len(key)] + key,
                _NULL if value is None else VARINT[len(value)] + value,
                encode_headers(headers) if headers else b"\0",
            )
        )
        encoded += VARINT[len(body)], body
    return b"".join(encoded)


def encode_headers(headers: Sequence[Header]) -> bytes:
    """Return the count of headers, then name and value of each."""
    parts = [VARINT[len(headers)]]
    for name, value in headers:
        encoded = name.encode()
        parts += VARINT[len(encoded)], encoded
        parts += (_NULL,) if value is None else (VARINT[len(value)], value)
    return b"".join(parts)


def decode_records(payload: bytes, count: int, base_timestamp: int) -> Iterator[RawRecord]:
    """Yield the `count` records of an uncompressed payload, as encode_records() was given them."""
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = payload[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number >> 1 ^ -(number & 1)

    def content() -> bytes | None:
        nonlocal at
        size = varint()
        if size < 0:
            return None
        at += size
        return payload[at - size : at]

    for _ in range(count):
        varint()  # length
        at += 1  # attributes
        timestamp = base_timestamp + varint()
        varint()  # offset delta
        key, value = content(), content()
        headers = tuple(((content() or b"").decode(), content()) for _ in range(varint()))
        yield timestamp, key, value, headers


def body_size(record: RawRecord) -> int:
    """Return how many bytes the record takes in a batch, without its length, if both deltas take one."""
    _, key, value, headers = record
    size = 6  # attributes, two deltas, two lengths, count of headers: of a byte each, unless they need more
    if value is not None:
        length = len(value)
        size += length + (0 if length < 64 else 1 if length < 8192 else len(VARINT[length]) - 1)
    if key is not None:
        length = len(key)
        size += length + (0 if length < 64 else 1 if length < 8192 else len(VARINT[length]) - 1)
    return size + len(encode_headers(headers)) - 1 if headers else size


def record_size(body: int, offset_delta: int = 0, timestamp_delta: int = 0) -> int:
    """Return how many bytes a record with a body of this `body_size` takes in a batch, exactly."""
    if offset_delta > 63:
        body += 1 if offset_delta < 8192 else len(VARINT[offset_delta]) - 1
    if not 0 <= timestamp_delta < 64:
        body += len(VARINT[timestamp_delta]) - 1
    return body + (1 if body < 64 else 2 if body < 8192 else len(VARINT[body]))


def check_size(record: RawRecord, most: int) -> None:
    """Raise RecordTooLargeError if a batch of this record alone has more than `most` bytes."""
    size = HEADER_SIZE + record_size(body_size(record))
    if size > most:
        raise RecordTooLargeError(
            f"{size} bytes in a batch exceed max_request_size={most}: raise it, or send less"
        )


class _Varints(dict[int, bytes]):
    """Signed numbers as zigzag varints: 7 bits a byte, low ones first, small magnitudes short.

    Lengths and deltas are nearly always in the table; others are encoded when asked for.
    """

    def __missing__(self, number: int) -> bytes:
        rest = number << 1 ^ number >> 63
        encoded = bytearray()
        while rest > 0x7F:
            encoded.append(rest & 0x7F | 0x80)
            rest >>= 7
        encoded.append(rest)
        return bytes(encoded)


VARINT = _Varints()
VARINT.update({number: VARINT[number] for number in range(-1, 8192)})  # all that take one or two bytes
_NULL = VARINT[-1]
