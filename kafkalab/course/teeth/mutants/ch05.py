"""Chapter 05: the batch format, size, linger, requests, records too large, memory."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import accumulator, batch, produce, producer, record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.producer import Producer
from kafkalab.producer.record_batch import HEADER_SIZE
from kafkalab.producer.sender import Sender

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


@mutant("format", killer="4.3.3-bytes")
def latest_is_the_first() -> None:
    """The batch's latest timestamp is that of its first record."""

    def encode(original: Any, self: Any, records: Any) -> Any:
        payload = original(self, records)
        return payload._replace(max_timestamp=payload.base_timestamp)

    around(ProducerBatch, "_encode", encode)


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

    record_batch.VARINT.update({number: plain(number) for number in list(record_batch.VARINT)})


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
    _limit(lambda self: self.limit or 2**31)


@mutant("size", killer="4.3.3-batch-size")
def offsets_take_no_room() -> None:
    """Offset deltas of two bytes are counted as one."""

    def size(original: Any, body: int, offset_delta: int = 0, timestamp_delta: int = 0) -> int:
        return int(original(body, 0, timestamp_delta))

    around(record_batch, "record_size", size)


# --- linger ---------------------------------------------------------------------------------------


def _ready_at(moment: Callable[[Any, Any], float]) -> None:
    def ready(original: Any, self: Any, first: Any) -> float:
        return original(self, first) if first.attempts else moment(self, first)

    around(RecordAccumulator, "_ready_at", ready)


@mutant("linger", killer="4.3.3-linger")
def nothing_lingers() -> None:
    """Nothing lingers."""
    _ready_at(lambda _, first: first.created)


@mutant("linger", killer="4.3.3-linger")
def lingers_for_ever() -> None:
    """Only what is full leaves, or what is flushed."""
    _ready_at(lambda _, first: first.created + 1e6)


@mutant("linger", killer="4.3.3-linger")
def seconds() -> None:
    """linger_ms is taken for seconds."""
    _ready_at(lambda self, first: first.created + self.config.linger_ms)


@mutant("linger", killer="4.3.3-linger")
def half_the_linger() -> None:
    """Half of the time is enough."""
    _ready_at(lambda self, first: first.created + self.config.linger_ms / 2000)


@mutant("linger", killer="4.3.3-linger")
def wound_up_again() -> None:
    """Each record starts the clock anew."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.touched = time.monotonic()
        return original(self, record, body)

    around(ProducerBatch, "try_append", append)
    _ready_at(lambda self, first: getattr(first, "touched", first.created) + self.config.linger_ms / 1000)


def _never(reason: str) -> None:
    """Let `reason` be none to leave."""

    def why(original: Any, self: Any, queue: Any, now: float) -> Any:
        found = original(self, queue, now)
        return None if found == reason else found

    around(RecordAccumulator, "why_ready", why)


@mutant("linger", killer="4.3.3-linger")
def close_lingers() -> None:
    """close() waits until all have lingered."""
    _never("close")


@mutant("linger", killer="4.3.3-linger-costs")
def lingers_longer() -> None:
    """A tenth of a second is added to every linger."""
    _ready_at(lambda self, first: first.created + (self.config.linger_ms + 400) / 1000)


# --- requests -------------------------------------------------------------------------------------


@mutant("requests", killer="4.8.1-batch-size-per-send")
def request_per_batch() -> None:
    """A request carries one batch."""

    def send(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        for each in batches:
            original(self, node, [each], now)

    around(Sender, "_send_produce", send)


@mutant("requests", killer="4.8.1-batch-size-per-send")
def one_partition_a_turn() -> None:
    """One partition is drained at a time."""
    around(
        RecordAccumulator,
        "drain",
        lambda original, self, targets, now: original(self, list(targets)[:1], now),
    )


@mutant("requests", killer="4.8.1-batch-size-per-send")
def batch_per_send() -> None:
    """A batch takes one record."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        return None if len(self) else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("requests", killer="4.8.1-batch-size-per-send")
def everything_in_one_partition() -> None:
    """A given partition is ignored."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        return original(self, topic, 0, record, number)

    around(Producer, "_append", append)


@mutant("requests", killer="4.8.1-batch-size-per-send")
def request_as_large_as_a_batch() -> None:
    """A request carries batch_size bytes at the most."""

    def drain(original: Any, self: Any, targets: Any, now: float) -> Any:
        size = self.config.batch_size
        queued = self.queued()
        chosen: list[Any] = []
        for target in targets:
            if target in queued and (not chosen or queued[target][0].size <= size):
                chosen.append(target)
                size -= queued[target][0].size
        return original(self, chosen, now)

    around(RecordAccumulator, "drain", drain)


# --- too large ------------------------------------------------------------------------------------


@mutant("too large", killer="4.3.3-oversize")
def batch_size_is_the_limit() -> None:
    """A record larger than batch_size is refused."""

    def opened(original: Any, self: Any, target: Any, record: Any, *args: Any) -> Any:
        record_batch.check_size(record, max(self.config.batch_size, 1))
        return original(self, target, record, *args)

    around(Producer, "_open_batch", opened)


@mutant("too large", killer="4.3.3-oversize")
def joins_the_others() -> None:
    """A record that is too large for any batch joins the open one."""
    _limit(lambda self: 2**31 if 0 < self.limit <= 1000 else self.limit)


@mutant("too large", killer="4.3.3-oversize")
def not_looked_at() -> None:
    """max_request_size is not looked at."""
    around(record_batch, "check_size", lambda original, record, most: None)


@mutant("too large", killer="4.3.3-oversize")
def never_split() -> None:
    """A batch that is too large for the broker fails."""

    def split(original: Any, self: Any, large: Any) -> None:
        self._fail(large, large.last_error)

    around(Sender, "_split", split)


@mutant("too large", killer="4.3.3-oversize")
def split_into_thirds() -> None:
    """The first part gets a third of the records."""

    def half(original: Any, self: Any, start: int, records: Any) -> Any:
        every = list(_all_of(self))
        third = max(len(every) // 3, 1)
        return original(self, start and third, every[third:] if start else every[:third])

    around(ProducerBatch, "_half", half)


def _all_of(large: Any) -> Any:
    payload = large.payload
    return record_batch.decode_records(payload.data, payload.records, payload.base_timestamp)


@mutant("too large", killer="4.3.3-oversize")
def halves_have_each_others_outcome() -> None:
    """The futures of a batch that was split are told the other half's offset."""

    def offset(original: Any, self: Any) -> Any:
        told = original(self)
        parts = self._delivery._parts
        return told if not parts else told._replace(offset=told.offset ^ 1)

    around(DeliveryFuture, "_metadata", offset)


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

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        pools = vars(self).setdefault("pools", {})
        self.pool = pools.setdefault(target, BufferPool(self.config.buffer_memory))
        return original(self, target, record, deadline)

    around(RecordAccumulator, "open_batch", open_batch)


@mutant("memory", killer="4.3.4-total")
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


@mutant("memory", killer="4.3.4-total")
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
    _never("memory")


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


_ = accumulator, batch, produce  # imported, so that their own names of what is replaced are replaced, too
