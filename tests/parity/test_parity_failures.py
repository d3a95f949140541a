"""What goes wrong goes wrong alike: the same error, at the call or through the future."""

import time

import pytest
from sides import Outcome, Record, same_error

from kafkalab.bench.sink import Sink
from kafkalab.cluster.polling import wait_until

pytestmark = pytest.mark.cluster


def opened(side, servers, **settings):
    producer = side.open(**{"bootstrap.servers": servers, "linger.ms": 0, **settings})
    assert not isinstance(producer, Outcome), producer
    return producer


def outcomes(side, servers, topic, *records, **settings):
    """Send, and return the outcomes and how long they took, in seconds."""
    producer = opened(side, servers, **settings)
    began = time.monotonic()
    producer.send(topic, *records)
    told = producer.outcomes()
    seconds = time.monotonic() - began
    producer.call("close")
    return told, seconds


BIG = Record(b"x" * 5000, None, 0)
FITS = Record(b"x", None, 0)


def test_too_large_for_the_producer(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    for side in both:
        (told, fine), _ = outcomes(
            side, cluster.bootstrap_servers, topic, BIG, FITS, **{"max.request.size": 1000}
        )
        assert same_error("RecordTooLargeException", told.error) or told.error == "RecordTooLargeException"
        assert not told.thrown
        assert fine.error is None


def test_too_large_for_the_buffer(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    for side in both:
        (told,), _ = outcomes(
            side, cluster.bootstrap_servers, topic, BIG, **{"buffer.memory": 3000, "batch.size": 100}
        )
        assert same_error("RecordTooLargeException", told.error) or told.error == "RecordTooLargeException"
        assert not told.thrown


def test_too_large_for_the_topic(both, cluster, make_topic):
    topic = make_topic(cluster, "", config={"max.message.bytes": "1000"})
    for side in both:
        (told,), _ = outcomes(side, cluster.bootstrap_servers, topic, BIG)
        assert same_error("RecordTooLargeException", told.error) or told.error == "RecordTooLargeException"
        assert not told.thrown


def test_a_batch_too_large_for_the_topic_is_split(both, cluster, make_topic):
    topic = make_topic(cluster, "", config={"max.message.bytes": "1000"})
    for side in both:
        told, _ = outcomes(
            side, cluster.bootstrap_servers, topic, *[Record(b"x" * 300, None, 0)] * 12, **{"linger.ms": 200}
        )
        assert [each.error for each in told] == [None] * 12, side.name


def test_unknown_topic(both, cluster):
    for side in both:
        (told,), seconds = outcomes(
            side, cluster.bootstrap_servers, "parity-no-such-topic", FITS, **{"max.block.ms": 700}
        )
        assert told.error == {"Java": "TimeoutException", "kafkalab": "MetadataTimeoutError"}[side.name]
        assert not told.thrown
        assert 0.6 < seconds < 3


def test_unknown_partition_is_told_at_once_on_purpose(both, cluster, make_topic):
    """Java waits max.block.ms for the partition to appear; a wrong number is a programming error here."""
    topic = make_topic(cluster, "", partitions=2)
    java, ours = (
        outcomes(side, cluster.bootstrap_servers, topic, Record(b"v", None, 9), **{"max.block.ms": 1500})
        for side in both
    )
    assert (java[0][0].error, java[0][0].thrown) == ("TimeoutException", False)
    assert java[1] > 1.4
    assert (ours[0][0].error, ours[0][0].thrown) == ("UnknownPartitionError", True)
    assert ours[1] < 1.4


@pytest.mark.parametrize(
    "record", [Record(b"v", None, -1), Record(b"v", None, 0, (), -5)], ids=["partition -1", "timestamp -5"]
)
def test_what_cannot_be_a_record_is_refused_at_the_call(both, cluster, make_topic, record):
    topic = make_topic(cluster, "")
    (java, ours) = (outcomes(side, cluster.bootstrap_servers, topic, record)[0][0] for side in both)
    assert same_error(java.error, ours.error), (java, ours)
    assert java.thrown
    assert ours.thrown


def test_an_illegal_topic_is_refused_at_the_call_on_purpose(both, cluster):
    """Java asks the broker, and tells through the future; ours knows the rule."""
    java, ours = (
        outcomes(side, cluster.bootstrap_servers, "no spaces", FITS, **{"max.block.ms": 3000})[0][0]
        for side in both
    )
    assert (java.error, java.thrown) == ("InvalidTopicException", False)
    assert (ours.error, ours.thrown) == ("ValueError", True)


def test_send_after_close(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    told = []
    for side in both:
        producer = opened(side, cluster.bootstrap_servers)
        producer.call("close")
        producer.send(topic, FITS)
        told += producer.outcomes()
    java, ours = told
    assert same_error(java.error, ours.error), told
    assert java.thrown
    assert ours.thrown


def test_close_delivers_what_was_accepted(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    for side in both:
        producer = opened(side, cluster.bootstrap_servers, **{"linger.ms": 60_000})
        producer.send(topic, *[FITS] * 10)
        producer.call("close")
        assert [each.error for each in producer.outcomes()] == [None] * 10


def test_a_full_buffer(both):
    """After max.block.ms, through the future; how much fits differs: Java hands memory out by batch.size."""
    settings = {"buffer.memory": 100_000, "batch.size": 16_384, "max.block.ms": 300, "linger.ms": 60_000}
    with Sink.running(1, silent=True) as sink:
        for side in both:
            producer = opened(side, sink.servers, **settings, **{"enable.idempotence": False})
            began = time.monotonic()
            producer.send("t", *[Record(b"x" * 1000, None, 0)] * 100)
            assert time.monotonic() - began > 0.29
            producer.call("close", timeout_ms=0)
            told = producer.outcomes()
            assert (
                told[-1].error
                == {"Java": "BufferExhaustedException", "kafkalab": "BufferExhaustedError"}[side.name]
            )
            assert not any(each.thrown for each in told)


def test_no_answer_until_the_delivery_timeout(both):
    settings = {"request.timeout.ms": 300, "delivery.timeout.ms": 900, "enable.idempotence": False}
    with Sink.running(1, silent=True) as sink:
        for side in both:
            (told,), seconds = outcomes(side, sink.servers, "t", FITS, **settings)
            assert told.error == {"Java": "TimeoutException", "kafkalab": "DeliveryTimeoutError"}[side.name]
            assert 0.8 < seconds < 3


def test_no_retries_means_the_error_of_the_only_try(both):
    """On purpose ours names what it met: Java's NetworkException stands for every kind of silence."""
    settings = {"request.timeout.ms": 300, "delivery.timeout.ms": 5000, "retries": 0}
    told = []
    with Sink.running(1, silent=True) as sink:
        for side in both:
            (one,), seconds = outcomes(side, sink.servers, "t", FITS, **settings)
            told.append(one.error)
            assert seconds < 3
    assert told[0] in {"NetworkException", "TimeoutException"}
    assert told[1] in {
        "KafkaConnectionError",
        "RequestTimedOutError",
        "KafkaTimeoutError",
        "DeliveryTimeoutError",
    }


def test_acks_0_tells_no_offset(both, cluster, make_topic):
    """Ours says None where Java says -1: both mean that nobody told."""
    topic = make_topic(cluster, "")
    offsets = [outcomes(side, cluster.bootstrap_servers, topic, FITS, acks="0")[0][0].offset for side in both]
    assert offsets == [-1, None]


def test_acks_1_without_idempotence_leaves_no_producer_id(both, cluster, make_topic):
    """Silently off: nobody asked for idempotence, and acks=1 rules it out."""
    for side in both:
        for settings in ({"acks": "1"}, {"retries": 0}):
            topic = make_topic(cluster, side.name)
            outcomes(side, cluster.bootstrap_servers, topic, FITS, **settings)
            assert the_record(cluster, topic).producer_id in {None, -1}
        topic = make_topic(cluster, side.name)
        outcomes(side, cluster.bootstrap_servers, topic, FITS)
        assert the_record(cluster, topic).producer_id >= 0, "the control: by default there is one"


def the_record(cluster, topic):
    """Return the topic's only record, once the followers have it (acks=1 did not wait for them)."""
    wait_until("the record can be read", lambda: cluster.offsets(topic, 0).high_watermark == 1)
    (record,) = cluster.read(topic)
    return record


def test_log_append_time_is_the_brokers(both, cluster, make_topic):
    topic = make_topic(cluster, "", config={"message.timestamp.type": "LogAppendTime"})
    for side in both:
        told, _ = outcomes(side, cluster.bootstrap_servers, topic, Record(b"v", None, 0, (), 5))
        assert told[0].error is None
    assert all(record.timestamp_ms > 10**12 for record in cluster.read(topic))
