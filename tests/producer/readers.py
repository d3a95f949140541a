"""What others read of what our producer wrote: kafka-python's consumer and librdkafka's."""

import time
from collections import Counter
from typing import NamedTuple

import confluent_kafka
from kafka import KafkaConsumer
from kafka import TopicPartition as StockPartition


class Read(NamedTuple):
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list


def by_kafka_python(bootstrap_servers, topic, count, seconds=20.0, isolation="read_uncommitted"):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, isolation_level=isolation
    )
    try:
        partitions = [StockPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        read, end = [], time.monotonic() + seconds
        while len(read) < count and time.monotonic() < end:
            for records in consumer.poll(timeout_ms=200).values():
                read += [
                    Read(r.partition, r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records
                ]
        return sorted(read)
    finally:
        consumer.close()


def by_librdkafka(bootstrap_servers, topic, count, seconds=20.0, isolation="read_uncommitted"):
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "readers",
            "enable.auto.commit": False,
            "isolation.level": isolation,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
        read, end = [], time.monotonic() + seconds
        while len(read) < count and time.monotonic() < end:
            for message in consumer.consume(1000, timeout=0.2):
                assert message.error() is None
                _, timestamp = message.timestamp()
                read.append(
                    Read(
                        message.partition(),
                        message.offset(),
                        timestamp,
                        message.key(),
                        message.value(),
                        message.headers() or [],
                    )
                )
        return sorted(read)
    finally:
        consumer.close()


def duplicates(values):
    return sum(count - 1 for count in Counter(values).values())


def first_occurrences(values):
    return list(dict.fromkeys(values))
