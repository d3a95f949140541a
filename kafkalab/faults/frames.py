"""Cut a stream of bytes into Kafka frames, and read what a request is about.

Rules
- A frame is passed on unread, unless somebody wants to see it whole: `starts` decides at its head.
- It is passed on in pieces of a megabyte: every system call gives the interpreter away, and getting it back
  may take 5 ms while the application's own threads compute (sys.getswitchinterval).
- What has arrived of one frame is passed on before the next one is looked at, so that nobody waits for a
  decision about what comes behind.
- A record batch's header (format 2) is read with struct; records themselves are never touched.
"""

import socket
import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from kafkalab.faults.errors import FrameError
from kafkalab.faults.messages import (
    LARGEST,
    PRODUCE,
    REQUEST_HEAD,
    REQUESTS,
    SHORT,
    SIZE,
    after_tags,
    decode,
    is_flexible,
    uvarint,
)

BUFFER = 1 << 20


class Source(Protocol):
    """Where bytes come from: a socket or what looks like one."""

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0, /) -> int:
        """Read what is there, or all that is asked for with MSG_WAITALL; 0 at the end."""


def split(
    source: Source,
    head: int,
    starts: Callable[[memoryview], bool],
    passes: Callable[[memoryview, bool], None],
    takes: Callable[[bytes], None],
) -> None:
    """Read `source` to its end, frame by frame.

    `starts(what has arrived)` is called with at least `head` bytes of each frame and says whether the frame
    is wanted whole: then `takes(frame)` gets it. Else `passes(part, more to come)` gets it piece by piece.
    """
    view = memoryview(bytearray(BUFFER))
    have = missing = 0
    while received := source.recv_into(view[have:]):
        have += received
        at = 0
        while at < have:
            if missing:
                part = view[at : min(at + missing, have)]
                missing -= len(part)
                at += len(part)
                passes(part, missing > 0)
            elif have - at < head:
                break
            else:
                total = _frame_size(view[at:have])
                if starts(view[at:have]):
                    takes(_whole(source, view[at:have], total))
                    at = min(at + total, have)
                else:
                    missing = total
                    have += _fill(source, view[have : at + total])
        view[: have - at] = bytes(view[at:have])
        have -= at


def _frame_size(arrived: memoryview) -> int:
    (size,) = SIZE.unpack_from(arrived)
    if not SIZE.size <= size <= LARGEST:
        raise FrameError(
            f"A frame of {size} bytes: that is not Kafka's protocol (TLS or HTTP on a plain port?)"
        )
    return int(size) + SIZE.size


def _whole(source: Source, arrived: memoryview, total: int) -> bytes:
    if len(arrived) >= total:
        return bytes(arrived[:total])
    frame = bytearray(total)
    frame[: len(arrived)] = arrived
    _fill(source, memoryview(frame)[len(arrived) :])
    return bytes(frame)


def _fill(source: Source, room: memoryview) -> int:
    """Read until `room` is full; return its size."""
    rest = room
    while rest:
        received = source.recv_into(rest, len(rest), socket.MSG_WAITALL)
        if not received:
            raise ConnectionResetError("closed in the middle of a frame")
        rest = rest[received:]
    return len(room)


# --- what a request is about ----------------------------------------------------------------------


class PartitionSeen(NamedTuple):
    """What one frame says of one partition; -1, 0 or None where it says nothing."""

    topic: str
    partition: int
    size: int = 0
    """Bytes of records."""
    records: int = 0
    producer_id: int = -1
    producer_epoch: int = -1
    sequence: int = -1
    """Of the first record."""
    base_offset: int = -1
    """In an answer: the first record's offset."""
    error: int = 0
    """In an answer: the protocol's error code."""
    crc: int = 0
    """Of the first record batch: equal where a client sends the same batch again."""


class Request:
    """One whole request frame, read only as far as somebody asks."""

    def __init__(self, frame: bytes, broker: int, topic_names: Mapping[Any, str]) -> None:
        """Read the header; `topic_names` maps topic ids (KIP-516) to names."""
        self.frame = frame
        self.broker = broker
        _, self.api_key, self.version, self.correlation_id = REQUEST_HEAD.unpack_from(frame)
        self.client_id, self._at = _client_id(frame, self.api_key, self.version)
        self.topic_names = topic_names

    @cached_property
    def message(self) -> Any | None:
        """The decoded request; None where kafka-python knows no such API or version."""
        return decode(REQUESTS, self.api_key, self.version, memoryview(self.frame)[self._at :])

    @cached_property
    def partitions(self) -> tuple[PartitionSeen, ...]:
        """The partitions it speaks of, in its order."""
        return partitions_in(self.message, self.topic_names)

    @property
    def has_answer(self) -> bool:
        """Whether the broker will answer: always, except to a Produce with acks=0."""
        return self.api_key != PRODUCE or self.message is None or self.message.acks != 0


def _client_id(frame: bytes, key: int, version: int) -> tuple[str, int]:
    (length,) = SHORT.unpack_from(frame, REQUEST_HEAD.size)
    at = REQUEST_HEAD.size + SHORT.size
    end = at + max(length, 0)
    name = bytes(frame[at:end]).decode(errors="replace")
    return name, after_tags(frame, end) if is_flexible(key, version) else end


def produce_has_answer(arrived: memoryview, version: int) -> bool | None:
    """Read acks in a Produce request of which only the beginning has arrived; None: not yet."""
    try:
        (length,) = SHORT.unpack_from(arrived, REQUEST_HEAD.size)
        at = REQUEST_HEAD.size + SHORT.size + max(length, 0)
        if is_flexible(PRODUCE, version):
            length, at = uvarint(arrived, after_tags(arrived, at))
            at += max(length - 1, 0)
        else:
            (length,) = SHORT.unpack_from(arrived, at)
            at += SHORT.size + max(length, 0)
        return bool(SHORT.unpack_from(arrived, at)[0])
    except (IndexError, struct.error):
        return None


# Fields have different names in different messages; each list is complete over kafka-python's schemas of
# Produce, Fetch, ListOffsets, OffsetCommit, TxnOffsetCommit and AddPartitionsToTxn.
TOPIC_LISTS = ("topic_data", "topics", "responses", "v3_and_below_topics", "results_by_topic_v3_and_below")
PARTITION_LISTS = (
    "partition_data",
    "partitions",
    "partition_responses",
    "partition_indexes",
    "results_by_partition",
)
PARTITION_NUMBERS = ("index", "partition", "partition_index", "partition_id")
ERRORS = ("error_code", "partition_error_code")


def partitions_in(message: Any, topic_names: Mapping[Any, str]) -> tuple[PartitionSeen, ...]:
    """Return what a request or response says of partitions."""
    found = []
    for topic in _first(message, TOPIC_LISTS) or ():
        name = topic_name(topic, topic_names)
        found += [_seen(name, each) for each in _first(topic, PARTITION_LISTS) or ()]
    return tuple(found)


def topic_name(topic: Any, topic_names: Mapping[Any, str]) -> str:
    """Return the name, or what stands for an id that no Metadata response has told of yet."""
    name = _first(topic, ("name", "topic"))
    if name:
        return str(name)
    topic_id = getattr(topic, "topic_id", None)
    return topic_names.get(topic_id, str(topic_id))


def _seen(topic: str, part: Any) -> PartitionSeen:
    if isinstance(part, int):
        return PartitionSeen(topic, part)
    return PartitionSeen(
        topic,
        _first(part, PARTITION_NUMBERS) or 0,
        *batch_header(records := getattr(part, "records", None) or b""),
        error=_first(part, ERRORS) or 0,
        base_offset=getattr(part, "base_offset", -1),
        crc=BATCH_HEAD.unpack_from(records)[4] if len(records) >= BATCH_HEAD.size else 0,
    )


def _first(message: Any, names: tuple[str, ...]) -> Any:
    return next((value for name in names if (value := getattr(message, name, None)) is not None), None)


BATCH_HEAD = struct.Struct(">qiibIhiqqqhii")
"""Record batch, format 2: base offset, length, leader epoch, magic, CRC, attributes, last offset delta, two
timestamps, producer id, producer epoch, base sequence, number of records."""


def batch_header(records: bytes | memoryview) -> tuple[int, int, int, int, int]:
    """Return size, and count, producer id, epoch and sequence of the first record batch."""
    if len(records) < BATCH_HEAD.size:
        return len(records), 0, -1, -1, -1
    *_, producer_id, epoch, sequence, count = BATCH_HEAD.unpack_from(records)
    return len(records), count, producer_id, epoch, sequence
