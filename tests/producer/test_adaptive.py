"""Partitions of a slow broker get fewer records without a key (KIP-794); the control gets its share."""

import threading
from collections import Counter
from contextlib import ExitStack

import pytest
from fake_broker import METADATA, PRODUCE, FakeBroker
from kafka.protocol.metadata import MetadataResponse

from kafkalab.producer import Producer
from kafkalab.producer.partitioners import DefaultPartitioner

BROKERS, SLOW = (1, 2, 3), 2


def three_brokers(stack, seconds):
    """Start three brokers; partition n is led by broker n + 1, and number SLOW takes its time."""
    brokers = {number: stack.enter_context(FakeBroker()) for number in BROKERS}
    topic = MetadataResponse.MetadataResponseTopic
    nodes = [
        MetadataResponse.MetadataResponseBroker(node_id=number, host="127.0.0.1", port=broker.port)
        for number, broker in brokers.items()
    ]
    partitions = [
        topic.MetadataResponsePartition(error_code=0, partition_index=number - 1, leader_id=number)
        for number in BROKERS
    ]

    def metadata(connection, request):
        topics = [topic(error_code=0, name=each.name, partitions=partitions) for each in request.topics]
        return MetadataResponse(brokers=nodes, controller_id=1, topics=topics)

    def slow(connection, request):
        threading.Event().wait(seconds)
        return brokers[SLOW].produce(connection, request)

    for broker in brokers.values():
        broker.answer[METADATA] = metadata
    brokers[SLOW].answer[PRODUCE] = slow
    return brokers[1].address


def shares(adaptive):
    """Send batches faster than the slow broker takes them; count the records of each partition."""
    partitioner = DefaultPartitioner(seed=4, sticky_bytes=1000, adaptive=adaptive)
    with (
        ExitStack() as stack,
        Producer(
            bootstrap_servers=three_brokers(stack, 0.03),
            partitioner=partitioner,
            batch_size=1000,
            linger_ms=1,
            max_in_flight_requests_per_connection=1,
        ) as producer,
    ):
        counts = Counter()
        producer.partitions_for("t")
        for _ in range(200):
            futures = [producer.send("t", b"x" * 480) for _ in range(2)]
            counts.update(future.target.partition for future in futures)
            threading.Event().wait(0.001)
        producer.flush()
    return counts


def test_a_slow_brokers_partition_gets_fewer_records_without_a_key():
    counts = shares(adaptive=True)
    assert sum(counts.values()) == 400
    others = [count for partition, count in counts.items() if partition != SLOW - 1]
    assert counts[SLOW - 1] < 0.5 * min(others)


def test_without_adaptive_partitioning_it_gets_its_third():
    assert 0.25 < shares(adaptive=False)[SLOW - 1] / 400 < 0.42


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_setting_reaches_the_partitioner(adaptive):
    with Producer(
        bootstrap_servers="127.0.0.1:1", partitioner_adaptive_partitioning_enable=adaptive, batch_size=77
    ) as producer:
        assert (producer.partitioner.adaptive, producer.partitioner.sticky_bytes) == (adaptive, 77)
