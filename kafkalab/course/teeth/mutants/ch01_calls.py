"""Chapter 01: interceptors, serializers, partitioner."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import partitioners, serializers
from kafkalab.producer.interceptors import ProducerInterceptors
from kafkalab.producer.partitioners import DefaultPartitioner, RoundRobinPartitioner
from kafkalab.producer.producer import Producer
from kafkalab.producer.record import ProducerRecord

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
