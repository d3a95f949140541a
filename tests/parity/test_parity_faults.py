"""Under the same fault both do the same: retry or fail, and what is in the log afterwards."""

import pytest
from sides import Outcome, Record, same_error

from kafkalab.faults import FaultProxy

pytestmark = pytest.mark.cluster
QUICK = {
    "linger.ms": 0,
    "request.timeout.ms": 1_000,
    "delivery.timeout.ms": 8_000,
    "retry.backoff.ms": 20,
    "retry.backoff.max.ms": 100,
}


@pytest.fixture
def proxy(cluster):
    with FaultProxy(cluster.bootstrap_servers, record=True) as one:
        yield one


def one_by_one(producer, topic, *values):
    """Send each when the one before has its outcome."""
    told = []
    for value in values:
        producer.send(topic, Record(value, None, 0))
        told += producer.outcomes()
    return told


def under_fault(side, cluster, proxy, topic, fault, **settings):
    """Send a, b, c one by one with the fault at b; return the outcomes and what the log holds."""
    producer = side.open(**{"bootstrap.servers": proxy.bootstrap_servers, **QUICK, **settings})
    assert not isinstance(producer, Outcome), producer
    told = one_by_one(producer, topic, b"a")
    rule = fault(proxy)
    told += one_by_one(producer, topic, b"b")
    rule.wait()
    told += one_by_one(producer, topic, b"c")
    producer.call("close", timeout_ms=0)
    return told, [record.value for record in cluster.read(topic)]


LOST = {
    "answer lost": lambda proxy: proxy.drop_response("Produce", reset=True),
    "answer lost in silence": lambda proxy: proxy.drop_response("Produce"),
    "request lost": lambda proxy: proxy.drop_request("Produce", reset=True),
}


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("fault", LOST)
def test_what_is_lost_is_sent_again(both, cluster, proxy, make_topic, fault, idempotent):
    found = []
    for side in both:
        topic = make_topic(cluster, side.name)
        settings = {"enable.idempotence": idempotent}
        found.append(under_fault(side, cluster, proxy, topic, LOST[fault], **settings))
    java, ours = found
    assert ours == java
    twice = fault != "request lost" and not idempotent
    assert java[1] == ([b"a", b"b", b"b", b"c"] if twice else [b"a", b"b", b"c"])
    assert [each.error for each in java[0]] == [None] * 3


def test_one_try_is_once_or_not_at_all_and_the_error_never_tells(both, cluster, proxy, make_topic):
    """Lost request and lost answer: the same error on either side, once at most in the log."""
    for side in both:
        errors = {}
        for name, fault in LOST.items():
            topic = make_topic(cluster, side.name)
            settings = {"retries": 0, "enable.idempotence": False}
            told, log = under_fault(side, cluster, proxy, topic, fault, **settings)
            assert [each.error is None for each in told] == [True, False, True]
            assert log in ([b"a", b"b", b"c"], [b"a", b"c"])
            assert (b"b" in log) == (name != "request lost")
            errors[name] = told[1].error
        assert errors["answer lost"] == errors["request lost"]
        assert (
            errors["answer lost"]
            == {"Java": "NetworkException", "kafkalab": "KafkaConnectionError"}[side.name]
        )


ANSWERS = (
    "CORRUPT_MESSAGE",
    "UNKNOWN_TOPIC_OR_PARTITION",
    "LEADER_NOT_AVAILABLE",
    6,  # not leader or follower
    "REQUEST_TIMED_OUT",
    "BROKER_NOT_AVAILABLE",
    "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    "INVALID_REQUIRED_ACKS",
    "TOPIC_AUTHORIZATION_FAILED",
    "KAFKA_STORAGE_ERROR",
    "POLICY_VIOLATION",
    "INVALID_RECORD",
    "THROTTLING_QUOTA_EXCEEDED",
)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_error_is_retried_or_told_alike(both, cluster, proxy, make_topic, answer):
    """The broker never sees the request; the record after it tells whether the producer goes on."""
    found = []
    for side in both:
        topic = make_topic(cluster, side.name)
        found.append(
            under_fault(side, cluster, proxy, topic, lambda proxy: proxy.answer_with("Produce", answer))
        )
    (java, java_log), (ours, our_log) = found
    assert [(each.code, each.thrown) for each in ours] == [(each.code, each.thrown) for each in java]
    assert our_log == java_log


@pytest.mark.parametrize("retries", [0, 2])
def test_as_many_tries_as_retries_allow(both, cluster, proxy, make_topic, retries):
    tries, told = [], []
    for side in both:
        topic = make_topic(cluster, side.name)
        rule = proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", times=None)
        settings = {"retries": retries, "enable.idempotence": False}
        producer = side.open(**{"bootstrap.servers": proxy.bootstrap_servers, **QUICK, **settings})
        told += one_by_one(producer, topic, b"v")
        producer.call("close")
        tries.append(len(rule.firings))
        proxy.clear()
    java, ours = told
    assert same_error(java.error, ours.error), told
    assert tries == [retries + 1] * 2
