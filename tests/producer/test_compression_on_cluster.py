"""What is compressed is in the log as such, full, and read by consumers that are not ours."""

import random

import pytest
import readers
from cluster_helpers import make_topic

from kafkalab import Producer

BATCH = 16_384
LEARNT, RECORDS = 800, 10_000


def values():
    pick = random.Random(4)
    for n in range(RECORDS):
        yield f'{{"n":{n},"user":"user-{pick.randrange(5000)}","amount":{pick.random():.6f}}}'.encode()


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
    stored = cluster.batches(topic)
    assert {batch.codec for batch in stored} == {kind}
    full = [len(batch.raw) for batch in stored if batch.base_offset + batch.records > LEARNT][1:-1]
    assert len(full) > 3
    assert 0.75 * BATCH < min(full) <= max(full) < 1.1 * BATCH
