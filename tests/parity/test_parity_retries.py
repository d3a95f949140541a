"""Retries and timeouts, as chapter 04 tells them: order, silence, waits, and what ends them."""

import time
from itertools import pairwise

import pytest
from sides import Outcome, Record

from kafkalab.faults import FaultProxy

pytestmark = pytest.mark.cluster


@pytest.fixture
def proxy(cluster):
    with FaultProxy(cluster.bootstrap_servers, record=True) as one:
        yield one


def opened(side, proxy, **settings):
    """Open a producer that has one request a record, so that records of one burst travel apart."""
    usual = {"bootstrap.servers": proxy.bootstrap_servers, "linger.ms": 0, "batch.size": 0}
    producer = side.open(**usual | settings)
    assert not isinstance(producer, Outcome), producer
    return producer


def warm(producer, topic):
    producer.send(topic, Record(WARM_UP, None, 0))
    assert [each.error for each in producer.outcomes()] == [None]


# Long enough that Java, whose smallest batch has some bytes to spare, cannot put two into one.
WARM_UP, FIRST, SECOND = (word * 50 for word in (b"warm-up", b"first", b"second"))
NOT_IDEMPOTENT = {"enable.idempotence": False}
ONE = NOT_IDEMPOTENT | {"max.in.flight.requests.per.connection": 1}


@pytest.mark.parametrize(
    ("settings", "stored"),
    [
        (NOT_IDEMPOTENT, [SECOND, FIRST]),
        (ONE, [FIRST, SECOND]),
        ({}, [FIRST, SECOND]),
    ],
    ids=["five in flight", "one in flight", "idempotent"],
)
def test_a_refused_record_and_the_next_one(both, cluster, proxy, make_topic, settings, stored):
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, proxy, **{"retry.backoff.ms": 300}, **settings)
        warm(producer, topic)
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", after_next=True, topic=topic)
        producer.send(topic, Record(FIRST, None, 0), Record(SECOND, None, 0))
        assert [each.error for each in producer.outcomes()] == [None, None]
        producer.call("close")
        assert [record.value for record in cluster.read(topic)][1:] == stored, side.name


@pytest.mark.alone
def test_one_in_flight_waits_for_every_answer(both, cluster, proxy, make_topic):
    for side in both:
        seconds = []
        for settings in (ONE, {}):
            topic = make_topic(cluster, side.name)
            producer = opened(side, proxy, **settings)
            warm(producer, topic)
            slow = proxy.delay("Produce", 0.05, times=None, topic=topic)
            began = time.monotonic()
            producer.send(topic, *[Record(b"v" * 200, None, 0)] * 20)
            producer.outcomes()
            seconds.append(time.monotonic() - began)
            producer.call("close")
            slow.cancel()
        assert seconds[0] >= 1, side.name
        assert seconds[1] < seconds[0], side.name


def test_silence_costs_the_connection(both, cluster, proxy, make_topic):
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, proxy, **{"request.timeout.ms": 1000}, **NOT_IDEMPOTENT)
        proxy.drop_response("Produce", topic=topic)
        producer.send(topic, Record(b"v", None, 0))
        assert [each.error for each in producer.outcomes()] == [None]
        producer.call("close")
        sent = requests_of(proxy, topic)
        assert len({frame.connection for frame in sent}) == 2, side.name
        assert 0.9 < sent[1].at - sent[0].at < 10, side.name
        assert [record.value for record in cluster.read(topic)] == [b"v", b"v"], side.name


def requests_of(proxy, topic):
    requests = proxy.recorder.find(api="Produce", direction="request")
    return [frame for frame in requests if topic in {seen.topic for seen in frame.partitions}]


def test_the_wait_doubles_up_to_its_maximum(both, cluster, proxy, make_topic):
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, proxy, **{"retry.backoff.ms": 50, "retry.backoff.max.ms": 200})
        warm(producer, topic)
        refusals = proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", times=7, topic=topic)
        producer.send(topic, Record(b"v", None, 0))
        assert [each.error for each in producer.outcomes()] == [None]
        producer.call("close")
        at = [firing.at for firing in refusals.firings] + [requests_of(proxy, topic)[-1].at]
        waits = [(after - before) * 1000 for before, after in pairwise(at)]
        planned = [50, 100, 200, 200, 200, 200, 200]
        # A millisecond for Java's clock, which counts whole ones.
        assert all(wait >= 0.8 * middle - 1 for wait, middle in zip(waits, planned, strict=True)), waits
        assert waits[-1] < 2000, "3200 without a maximum"


def test_time_outlives_any_count(both, cluster, proxy, make_topic):
    """The same ten refusals: a count of two is used up, two minutes are not."""
    for side in both:
        told = []
        for settings in ({"retries": 2}, {}):
            topic = make_topic(cluster, side.name)
            producer = opened(side, proxy, **{"retry.backoff.max.ms": 100}, **settings)
            warm(producer, topic)
            outage = proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", times=10, topic=topic)
            producer.send(topic, Record(b"v", None, 0))
            told += [each.error is None for each in producer.outcomes()]
            producer.call("close")
            outage.cancel()
        assert told == [False, True], side.name
