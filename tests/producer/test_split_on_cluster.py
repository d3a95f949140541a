"""Real brokers that refuse batches as too large: halves arrive in order and once, or fail alone."""

import random

import pytest
import readers
from cluster_helpers import make_topic
from kafka.errors import MessageSizeTooLargeError

from kafkalab import Producer
from kafkalab.producer import Trace

pytestmark = pytest.mark.cluster
MOST = 2000
SETTINGS = [
    {},
    {"compression_type": "gzip"},
    {"compression_type": "zstd"},
    {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1},
]


@pytest.fixture
def topic(cluster, request):
    return make_topic(cluster, request, config={"max.message.bytes": str(MOST)})


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: "-".join(map(str, each.values())) or "plain")
def test_what_is_too_large_as_a_batch_arrives_in_order_and_once(cluster, topic, settings):
    dice, trace = random.Random(5), Trace(records=False)
    sent = [b"%d " % number + dice.randbytes(dice.randrange(50, 400)) for number in range(300)]
    with Producer(
        bootstrap_servers=cluster.bootstrap_servers, batch_size=16_384, linger_ms=20, trace=trace, **settings
    ) as producer:
        futures = [producer.send(topic, value) for value in sent]
        producer.flush()
        assert all(future.done() for future in futures)
        assert producer.accumulator.pool.available == producer.config.buffer_memory
        assert producer.metrics()["batch_split_total"] == len(trace.find("split")) > 10
    assert [future.result(0).offset for future in futures] == list(range(300))
    for read in (readers.by_kafka_python, readers.by_librdkafka):
        records = read(cluster.bootstrap_servers, topic, 300)
        assert [record.value for record in records] == sent


def test_records_that_are_too_large_alone_fail_alone(cluster, topic):
    dice = random.Random(6)
    sent = [dice.randbytes(5000 if number % 13 == 7 else 150) for number in range(150)]
    with Producer(bootstrap_servers=cluster.bootstrap_servers, batch_size=16_384, linger_ms=20) as producer:
        futures = [producer.send(topic, value) for value in sent]
        producer.flush()
    failed = [number for number, future in enumerate(futures) if future.exception(0) is not None]
    assert failed == list(range(7, 150, 13))
    assert {type(futures[number].exception(0)) for number in failed} == {MessageSizeTooLargeError}
    good = [value for value in sent if len(value) == 150]
    read = readers.by_kafka_python(cluster.bootstrap_servers, topic, len(good))
    assert [record.value for record in read] == good
    assert [future.result(0).offset for future in futures if future.exception(0) is None] == [
        record.offset for record in read
    ]
