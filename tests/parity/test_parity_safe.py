"""A safe producer, as chapter 09 tells it: the old recipe, memory that comes back, networks that are slow."""

import time

import pytest
from sides import Outcome, Record

from kafkalab.faults import FaultProxy

pytestmark = pytest.mark.cluster
OLD = {"acks": "all", "enable.idempotence": False, "max.in.flight.requests.per.connection": 1}
BATCH = Record(b"x" * 16_000, None, 0)
"""Fills a batch of the default size."""


@pytest.fixture
def proxy(cluster):
    with FaultProxy(cluster.bootstrap_servers) as one:
        yield one


def opened(side, proxy, topic, **settings):
    """Open a producer, and have one record acknowledged."""
    producer = side.open(**{"bootstrap.servers": proxy.bootstrap_servers, "linger.ms": 0, **settings})
    assert not isinstance(producer, Outcome), producer
    assert errors(producer, topic, Record(b"base", None, 0)) == [None]
    return producer


def errors(producer, topic, *records):
    producer.send(topic, *records)
    return [each.error for each in producer.outcomes()]


def test_the_old_recipe_keeps_the_order_and_stores_twice(both, cluster, proxy, make_topic):
    """Neither fault reorders anything; the lost answer leaves a second copy."""
    first, second = b"first" * 50, b"second" * 50
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, proxy, topic, **{"batch.size": 0, **OLD})
        proxy.drop_response("Produce", topic=topic, reset=True)
        assert errors(producer, topic, Record(b"again", None, 0)) == [None]
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", after_next=True, topic=topic)
        assert errors(producer, topic, Record(first, None, 0), Record(second, None, 0)) == [None, None]
        producer.call("close")
        log = [record.value for record in cluster.read(topic)]
        assert log == [b"base", b"again", b"again", first, second], side.name


def test_memory_runs_out_and_comes_back_in_full(both, cluster, proxy, make_topic):
    """Round after round four batches find room and a fifth does not; the same when four have failed."""
    memory = {"buffer.memory": 4 * 16_384, "max.block.ms": 500}
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, proxy, topic, **memory)
        for _ in range(4):
            told = _filled(producer, proxy, topic)
            assert told[:4] == [None] * 4, side.name
            assert told[4] in {"BufferExhaustedException", "BufferExhaustedError"}, side.name
        producer.call("close")


def test_memory_of_failed_records_comes_back(both, cluster, proxy, make_topic):
    settings = {"buffer.memory": 4 * 16_384, "request.timeout.ms": 1500, "delivery.timeout.ms": 3000}
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, proxy, topic, **settings)
        for _ in range(2):
            silence = proxy.drop_response("Produce", topic=topic, times=None)
            told = errors(producer, topic, *[BATCH] * 4)
            silence.cancel()
            assert set(told) <= {"TimeoutException", "DeliveryTimeoutError"}, side.name
        assert errors(producer, topic, *[BATCH] * 4) == [None] * 4, side.name
        producer.call("close")


def _filled(producer, proxy, topic):
    """Send five batches into room for four while no answer comes; return the errors."""
    held = proxy.hold("Produce", topic=topic)
    producer.send(topic, *[BATCH] * 5)
    assert producer.done() == [False] * 4 + [True]
    held.release()
    return [each.error for each in producer.outcomes()]


def test_a_slow_network_costs_time_and_impatience_certainty(both, cluster, make_topic):
    for side in both:
        topic = make_topic(cluster, side.name)
        with FaultProxy(cluster.bootstrap_servers) as far:
            producer = opened(side, far, topic)
            far.delay("Produce", 0.2, times=None)
            for value in (b"a", b"b"):
                began = time.monotonic()
                assert errors(producer, topic, Record(value, None, 0)) == [None], side.name
                assert 0.2 <= time.monotonic() - began < 5, side.name
            producer.call("close")
        with FaultProxy(cluster.bootstrap_servers) as farther:
            hurried = {"request.timeout.ms": 500, "delivery.timeout.ms": 1000}
            producer = opened(side, farther, topic, **hurried)
            farther.delay("Produce", 3.0, times=None)
            (told,) = errors(producer, topic, Record(b"c", None, 0))
            assert told in {"TimeoutException", "DeliveryTimeoutError"}, side.name
            producer.call("close", timeout_ms=0)
        assert [record.value for record in cluster.read(topic)] == [b"base", b"a", b"b", b"base", b"c"]
