"""Idempotence, as chapter 08 tells it: when it is on, and what becomes of a refused first batch."""

import pytest
from sides import Outcome, Record

from kafkalab.faults import FaultProxy

pytestmark = pytest.mark.cluster


def opened(side, servers, **settings):
    producer = side.open(**{"bootstrap.servers": servers, "linger.ms": 0, **settings})
    assert not isinstance(producer, Outcome), producer
    return producer


@pytest.mark.parametrize(
    ("settings", "on"),
    [({}, True), ({"acks": "1"}, False), ({"retries": 0}, False), ({"enable.idempotence": False}, False)],
    ids=["nothing set", "acks=1", "no retries", "switched off"],
)
def test_idempotence_is_on_unless_settings_rule_it_out(both, cluster, make_topic, settings, on):
    for side in both:
        topic = make_topic(cluster, side.name)
        producer = opened(side, cluster.bootstrap_servers, **settings)
        producer.send(topic, Record(b"v", None, 0))
        assert [each.error for each in producer.outcomes()] == [None]
        producer.call("close")
        (record,) = cluster.log(topic, 0)
        assert (record.producer_id >= 0, record.sequence >= 0) == (on, on), side.name


def test_a_first_batch_refused_costs_java_an_error_and_ours_nothing(both, cluster, make_topic):
    """Not alike, on purpose: ours has one batch out until the leader knows it. Java's first record fails.

    The records are long enough that Java, whose smallest batch has bytes to spare, cannot put two into one.
    """
    values = [b"m%d" % number * 100 for number in range(5)]
    settings = {"batch.size": 0, "request.timeout.ms": 1_000, "delivery.timeout.ms": 4_000}
    for side in both:
        topic = make_topic(cluster, side.name)
        with FaultProxy(cluster.bootstrap_servers) as proxy:
            producer = opened(side, proxy.bootstrap_servers, **settings)
            proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", after_next=True, topic=topic)
            producer.send(topic, *[Record(value, None, 0) for value in values])
            errors = [each.error for each in producer.outcomes()]
            producer.call("close")
        stored = [record.value for record in cluster.read(topic)]
        if side.name == "Java":
            assert errors[0] == "TimeoutException"
            assert values[0] not in stored
        else:
            assert errors == [None] * 5
            assert stored == values
