"""Chapter 02: the record, three ways to send, the partition."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import futures, record_batch, serializers
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.interceptors import ProducerInterceptors
from kafkalab.producer.partitioners import DefaultPartitioner
from kafkalab.producer.producer import Producer


def _records(change: Any) -> None:
    """Let every record be changed before it is encoded: (timestamp, key, value, headers)."""

    def encode(original: Any, records: Any) -> Any:
        return original([change(*record) for record in records])

    around(record_batch, "encode_records", encode)


# --- the record -----------------------------------------------------------------------------------


@mutant("record", killer="4.2.1-record-fields")
def headers_dropped() -> None:
    """Headers are dropped."""
    _records(lambda timestamp, key, value, headers: (timestamp, key, value, ()))


@mutant("record", killer="4.2.1-record-fields")
def headers_reversed() -> None:
    """Headers come in reverse order."""
    _records(lambda timestamp, key, value, headers: (timestamp, key, value, headers[::-1]))


@mutant("record", killer="4.2.1-record-fields")
def headers_as_dict() -> None:
    """A header's name stands once, with its last value."""
    _records(lambda timestamp, key, value, headers: (timestamp, key, value, tuple(dict(headers).items())))


@mutant("record", killer="4.2.1-record-fields")
def timestamp_dropped() -> None:
    """The timestamp is that of sending."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        now = time.time_ns() // 1_000_000
        return original(self, topic, partition, (now, *record[1:]), number)

    around(Producer, "_append", append)


@mutant("record", killer="4.2.1-record-fields")
def key_dropped() -> None:
    """The key is dropped."""
    _records(lambda timestamp, key, *rest: (timestamp, None, *rest))


@mutant("record", killer="4.2.1-record-fields")
def partition_dropped() -> None:
    """The given partition is ignored."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        return original(self, topic, None if partition is None else 0, record, number)

    around(Producer, "_append", append)


# --- three ways -----------------------------------------------------------------------------------


@mutant("ways to send", killer="4.7.1-three-ways")
def callback_elsewhere() -> None:
    """Callbacks run on a thread of their own."""

    def call(original: Any, callback: Any, future: Any) -> None:
        threading.Thread(target=original, args=(callback, future)).start()

    around(futures, "_call", call)


@mutant("ways to send", killer="4.7.1-three-ways")
def callback_twice() -> None:
    """Callbacks are called twice."""

    def call(original: Any, callback: Any, future: Any) -> None:
        original(callback, future)
        original(callback, future)

    around(futures, "_call", call)


@mutant("ways to send", killer="4.7.1-three-ways")
def callback_never() -> None:
    """Callbacks are never called."""

    def add(original: Any, self: Any, callback: Any) -> None:
        if "DeliveryFuture.__await__" in callback.__qualname__:
            original(self, callback)

    around(DeliveryFuture, "add_done_callback", add)


@mutant("ways to send", killer="4.7.1-three-ways")
def offset_off_by_one() -> None:
    """A future tells the offset of the next record."""

    def metadata(original: Any, self: Any) -> Any:
        told = original(self)
        return told if told.offset is None else told._replace(offset=told.offset + 1)

    around(DeliveryFuture, "_metadata", metadata)


@mutant("ways to send", killer="4.7.1-three-ways")
def forgotten() -> None:
    """The record of a future nobody keeps is dropped."""

    def send(original: Any, self: Any, topic: str, value: Any = None, *args: Any, **options: Any) -> Any:
        if value == b"forgotten":
            return futures.failed(topic, 0, KeyError("dropped"))
        return original(self, topic, value, *args, **options)

    around(Producer, "send", send)


@mutant("ways to send", killer="exercise serializer")
def serialized_twice() -> None:
    """JSON is serialized twice."""

    def serialize(original: Any, serializer: Any, topic: str, data: Any, what: str) -> Any:
        encoded = original(serializer, topic, data, what)
        return encoded if data is None or isinstance(data, bytes) else repr(encoded).encode()

    around(serializers, "serialize", serialize)


@mutant("ways to send", killer="exercise serializer")
def none_serialized() -> None:
    """A missing value is serialized, too."""

    def serialize(original: Any, serializer: Any, topic: str, data: Any, what: str) -> Any:
        if data is None and what == "value":
            return serializer(topic, data)
        return original(serializer, topic, data, what)

    around(serializers, "serialize", serialize)


# --- the partition --------------------------------------------------------------------------------


@mutant("partition", killer="4.2.4-order-of-choice")
def custom_partitioner_ignored() -> None:
    """A partitioner of yours is ignored."""

    def init(original: Any, self: Any, **options: Any) -> None:
        options.pop("partitioner", None)
        original(self, **options)

    around(Producer, "__init__", init)


@mutant("partition", killer="4.2.4-order-of-choice")
def custom_partitioner_first() -> None:
    """A partitioner of yours overrides the given partition."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        custom = self.config.partitioner is not None
        return original(self, topic, None if custom else partition, record, number)

    around(Producer, "_append", append)


@mutant("partition", killer="4.7.2-partitioner-sees-value")
def value_hidden() -> None:
    """The partitioner is not shown the value."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        choose = self.partitioner.partition
        self._choose = lambda topic, key, value, partitions: choose(topic, key, b"", partitions)
        return original(self, topic, partition, record, number)

    around(Producer, "_append", append)


@mutant("partition", killer="4.7.2-partitioner-sees-value")
def value_before_interceptors() -> None:
    """The partitioner sees the value before interceptors."""

    def on_send(original: Any, self: Any, record: Any) -> Any:
        changed = original(self, record)
        _before[changed.value] = record.value
        return changed

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        choose = self.partitioner.partition
        self._choose = lambda topic, key, value, ids: choose(topic, key, _before.get(value, value), ids)
        return original(self, topic, partition, record, number)

    _before: dict[Any, Any] = {}
    around(ProducerInterceptors, "on_send", on_send)
    around(Producer, "_append", append)


@mutant("partition", killer="4.2.4-key-stays")
def new_partitions_ignored() -> None:
    """New partitions are never used."""

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> Any:
        chosen = original(self, topic, key, value, partitions)
        return chosen if key is None else chosen % min(6, len(partitions))

    around(DefaultPartitioner, "partition", partition)


@mutant("partition", killer="4.2.4-sticky")
def sticky_ignored() -> None:
    """Records without a key go anywhere."""

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> Any:
        if key is None:
            return random.choice(partitions)
        return original(self, topic, key, value, partitions)

    around(DefaultPartitioner, "partition", partition)


@mutant("partition", killer="4.2.4-sticky")
def sticky_for_ever() -> None:
    """The sticky partition is never left."""
    around(DefaultPartitioner, "on_new_batch", lambda original, self, target, *rest: target)


@mutant("partition", killer="4.2.4-sticky")
def sticky_half() -> None:
    """A partition is left after half a batch."""

    def new(original: Any, self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self.limit //= 2

    around(ProducerBatch, "__init__", new)

    def init(original: Any, self: Any, **options: Any) -> None:
        original(self, **options)
        self.sticky_bytes //= 2

    around(DefaultPartitioner, "__init__", init)


@mutant("partition", killer="4.2.4-sticky")
def half_drawn() -> None:
    """Half of the partitions are never drawn."""

    def draw(original: Any, self: Any, partitions: Any, waiting: Any) -> int:
        return int(original(self, partitions, waiting)) // 2

    around(DefaultPartitioner, "_draw", draw)
