"""What is compressed is in the log as such, full, and read by consumers that are not ours."""

import random

import pytest
import readers
from cluster_helpers import make_topic
from kafka.record import MemoryRecords

from kafkalab import Producer
from kafkalab.cluster import reading
from kafkalab.cluster.wire import Connection

BATCH = 16_384
KINDS = ["none", "gzip", "snappy", "lz4", "zstd"]  # in the order of their ids
LEARNT, RECORDS = 800, 10_000


def values():
    pick = random.Random(4)
    for n in range(RECORDS):
        yield f'{{"n":{n},"user":"user-{pick.randrange(5000)}","amount":{pick.random():.6f}}}'.encode()


def batches(cluster, topic):
    """Return codec id, last offset and size of every batch in partition 0, as the leader hands them out."""
    address = cluster.bootstrap_servers.split(",")[cluster.leader(topic, 0) - 1]
    host, port = address.split(":")
    found, offset = [], 0
    with Connection((host, int(port))) as connection:
        while offset < RECORDS:
            records = MemoryRecords(bytes(reading._fetch(connection, topic, 0, offset, 0).records))
            while (batch := records.next_batch()) is not None:
                found.append((batch.compression_type, batch.last_offset, batch.size_in_bytes))
                offset = batch.last_offset + 1
    return found


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("kind", "level"),
    [("none", None), ("gzip", 1), ("snappy", None), ("lz4", None), ("lz4", 4), ("zstd", None)],
)
def test_a_compressed_log_is_full_and_read_by_others(cluster, request, kind, level):
    topic = make_topic(cluster, request, partitions=1)
    sent = list(values())
    settings = {"compression_type": kind, "compression_level": level, "linger_ms": 1000, "batch_size": BATCH}
    with Producer(bootstrap_servers=cluster.bootstrap_servers, **settings) as producer:
        futures = [producer.send(topic, value) for value in sent[:LEARNT]]
        producer.flush()  # so that the estimator has seen these before the others come
        futures += [producer.send(topic, value) for value in sent[LEARNT:]]
        producer.flush()
    assert [future.result(0).offset for future in futures] == list(range(RECORDS))
    for read in (readers.by_kafka_python, readers.by_librdkafka):
        assert [each.value for each in read(cluster.bootstrap_servers, topic, RECORDS)] == sent
    stored = batches(cluster, topic)
    assert {codec for codec, *_ in stored} == {KINDS.index(kind)}
    full = [size for _, last, size in stored if last > LEARNT][1:-1]
    assert len(full) > 3
    assert 0.75 * BATCH < min(full) <= max(full) < 1.1 * BATCH
