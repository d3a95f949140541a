"""Chapter 01: interceptors, serializers, partitioner, accumulator, sender."""

from __future__ import annotations

import threading
import time
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import accumulator, partitioners, producer, serializers
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.interceptors import ProducerInterceptors
from kafkalab.producer.partitioners import DefaultPartitioner, RoundRobinPartitioner
from kafkalab.producer.producer import Producer
from kafkalab.producer.record import ProducerRecord
from kafkalab.producer.sender import Sender

# --- interceptors ---------------------------------------------------------------------------------


@mutant("interceptors", killer="4.1.1-interceptor")
def interceptor_without_effect() -> None:
    """What an interceptor returns is thrown away."""

    def on_send(original: Any, self: Any, record: Any) -> Any:
        original(self, record)
        return record

    around(ProducerInterceptors, "on_send", on_send)


@mutant("interceptors", killer="4.1.1-interceptor")
def interceptor_after_serializers() -> None:
    """Interceptors come after the serializers."""
    asked = ProducerInterceptors.on_send
    around(ProducerInterceptors, "on_send", lambda original, self, record: record)

    def serialize(original: Any, self: Any, topic: str, key: Any, value: Any) -> Any:
        key, value = original(self, topic, key, value)
        record = asked(self.interceptors, ProducerRecord(topic, value, key))
        return record.key, record.value

    around(Producer, "_serialize", serialize)


@mutant("interceptors", killer="exercise interceptor")
def interceptor_not_told() -> None:
    """Interceptors are not told of acknowledgements."""
    around(Producer, "_tell_interceptors", lambda original, self, future: None)


@mutant("interceptors", killer="exercise interceptor")
def interceptor_not_told_of_errors() -> None:
    """Interceptors hear of success only."""

    def tell(original: Any, self: Any, metadata: Any, error: Any) -> None:
        if error is None:
            original(self, metadata, error)

    around(ProducerInterceptors, "on_acknowledgement", tell)


@mutant("interceptors", killer="exercise interceptor")
def interceptor_headers_dropped() -> None:
    """Headers that an interceptor adds are dropped."""

    def on_send(original: Any, self: Any, record: Any) -> Any:
        return original(self, record)._replace(headers=record.headers)

    around(ProducerInterceptors, "on_send", on_send)


# --- serializers ----------------------------------------------------------------------------------


@mutant("serializers", killer="4.1.1-serializer")
def utf_16() -> None:
    """Text becomes UTF-16."""
    around(serializers, "string_serializer", lambda original, topic, data: data.encode("utf-16"))


@mutant("serializers", killer="4.1.1-serializer")
def key_forgotten() -> None:
    """With a partition given, the key is not serialized."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        timestamp, key, value, headers = record
        key = key if partition is None else None
        return original(self, topic, partition, (timestamp, key, value, headers), number)

    around(Producer, "_append", append)


@mutant("serializers", killer="4.1.1-serializer")
def key_and_value_swapped() -> None:
    """Key and value change places."""

    def both(original: Any, self: Any, topic: str, key: Any, value: Any) -> Any:
        return original(self, topic, value, key)

    around(Producer, "_serialize", both)


@mutant("serializers", killer="4.1.1-serializer")
def serializers_swapped() -> None:
    """The key's serializer serializes the value."""

    def both(original: Any, self: Any, topic: str, key: Any, value: Any) -> Any:
        value, key = original(self, topic, value, key)
        return key, value

    around(Producer, "_serialize", both)


@mutant("serializers", killer="4.1.1-serializer")
def key_as_shown() -> None:
    """Keys are stored as Python shows them."""

    def serialize(original: Any, serializer: Any, topic: str, data: Any, what: str) -> Any:
        return (
            repr(data).encode()
            if what == "key" and data is not None
            else original(serializer, topic, data, what)
        )

    around(serializers, "serialize", serialize)


# --- partitioner ----------------------------------------------------------------------------------


def _default_partition(replacement: Any) -> None:
    around(DefaultPartitioner, "partition", replacement)


@mutant("partitioner", killer="4.1.1-key-hash")
def off_by_one() -> None:
    """The partition of a key is one too far."""

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> Any:
        chosen = original(self, topic, key, value, partitions)
        return chosen if key is None else (chosen + 1) % len(partitions)

    _default_partition(partition)


@mutant("partitioner", killer="4.1.1-key-hash")
def sign_bit() -> None:
    """The hash keeps its sign bit."""

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> int:
        if key is None:
            return int(original(self, topic, key, value, partitions))
        number: int = partitioners.murmur2(key) % len(partitions)
        return number

    _default_partition(partition)


@mutant("partitioner", killer="4.1.1-value-in-hash")
def value_in_hash() -> None:
    """The value takes part in the hash."""

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> Any:
        return original(self, topic, None if key is None else key + (value or b""), value, partitions)

    _default_partition(partition)


@mutant("partitioner", killer="4.1.1-round-robin")
def takes_turns() -> None:
    """Records without a key take turns."""
    turns = RoundRobinPartitioner()

    def partition(original: Any, self: Any, topic: Any, key: Any, value: Any, partitions: Any) -> Any:
        chooser = turns.partition if key is None else original.__get__(self)
        return chooser(topic, key, value, partitions)

    _default_partition(partition)


@mutant("partitioner", killer="4.1.1-round-robin")
def no_turns() -> None:
    """RoundRobinPartitioner stays where it is."""
    around(RoundRobinPartitioner, "partition", lambda original, self, topic, key, value, partitions: 0)


@mutant("partitioner", killer="4.1.1-explicit-partition")
def asked_anyway() -> None:
    """The partitioner is asked in spite of a given partition."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        self.partitioner.partition(topic, record[1], record[2], self.partitions_for(topic))
        return original(self, topic, partition, record, number)

    around(Producer, "_append", append)


@mutant("partitioner", killer="4.1.1-explicit-partition")
def given_partition_ignored() -> None:
    """A given partition is ignored."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        return original(self, topic, None, record, number)

    around(Producer, "_append", append)


# --- accumulator ----------------------------------------------------------------------------------


@mutant("accumulator", killer="4.1.1-returns-at-once")
def linger_ignored() -> None:
    """Nothing lingers."""
    around(RecordAccumulator, "_ready_at", lambda original, self, first: first.created)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def send_waits() -> None:
    """send() waits for the acknowledgement."""

    def send(original: Any, self: Any, *args: Any, **options: Any) -> Any:
        future = original(self, *args, **options)
        self.flush()
        return future

    around(Producer, "send", send)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def impatient() -> None:
    """The wait of send() ends after a third of max_block_ms."""
    around(Producer, "_deadline", lambda original, self: time.monotonic() + self.config.max_block_ms / 3000)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def flush_does_nothing() -> None:
    """flush() returns without having sent."""
    around(RecordAccumulator, "flush", lambda original, self: None)


@mutant("accumulator", killer="4.1.1-batch-size-is-the-buffer")
def never_full() -> None:
    """A batch is never full."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.limit = 2**31
        return original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("accumulator", killer="4.1.1-batch-size-is-the-buffer")
def one_batch_a_partition() -> None:
    """Each partition may have one batch only."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        if len(self.queued().get(target, ())):
            self.pool.reserve(self.pool.total, deadline)
        return original(self, target, record, deadline)

    around(RecordAccumulator, "open_batch", open_batch)


@mutant("accumulator", killer="4.1.1-batch-size-is-the-buffer")
def memory_per_partition() -> None:
    """Each partition has memory of its own."""

    def open_batch(original: Any, self: Any, target: Any, record: Any, deadline: float) -> Any:
        pools = vars(self).setdefault("pools", {})
        self.pool = pools.setdefault(target, BufferPool(self.config.buffer_memory))
        return original(self, target, record, deadline)

    around(RecordAccumulator, "open_batch", open_batch)


@mutant("accumulator", killer="4.1.1-returns-at-once")
def never_waits() -> None:
    """The sender takes what is there, ready or not."""
    around(
        RecordAccumulator,
        "why_ready",
        lambda original, self, queue, now: original(self, queue, now) or "linger",
    )


# --- sender ---------------------------------------------------------------------------------------


@mutant("sender", killer="4.1.1-io-thread")
def request_per_batch() -> None:
    """A request carries one batch."""

    def send(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        for batch in batches:
            original(self, node, [batch], now)

    around(Sender, "_send_produce", send)


@mutant("sender", killer="4.1.1-io-thread")
def thread_per_request() -> None:
    """Each request leaves on a thread of its own."""

    def send(original: Any, self: Any, *args: Any) -> None:
        helper = threading.Thread(target=original, args=(self, *args))
        helper.start()
        helper.join()

    around(Sender, "_send_produce", send)


@mutant("sender", killer="4.1.1-io-thread")
def no_batches() -> None:
    """A batch takes one record."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        return None if len(self) else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("sender", killer="exercise interceptor")
def last_record_lost() -> None:
    """What is drained loses its last record."""

    def seal(original: Any, self: Any) -> Any:
        if len(self._records) > 1:
            self._records = self._records[:-1]
            self._count -= 1
        return original(self)

    around(ProducerBatch, "seal", seal)


_ = accumulator, producer  # imported, so that their own names of what is replaced are replaced, too
