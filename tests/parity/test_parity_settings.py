"""Settings: the same defaults, the same refusals, as the Java client of the pinned Kafka says itself."""

import dataclasses

import pytest
from sides import JavaProducer, Outcome, same_error

from kafkalab.producer.config import ProducerConfig

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}
FIELDS = {each.name: each for each in dataclasses.fields(ProducerConfig)}
JAVA_NAMES = {
    "partitioner": "partitioner.class",
    "interceptors": "interceptor.classes",
    "ssl_cafile": "ssl.truststore.location",
}
JAVA_HAS_NO = {
    "sasl_plain_username": "part of sasl.jaas.config there",
    "sasl_plain_password": "part of sasl.jaas.config there",
    "compression_level": "one setting per codec there, with a default each",
}
ON_PURPOSE = {
    "bootstrap_servers": "required there; a lesson's first line works without",
    "client_id": "empty there, which becomes producer-1, producer-2",
    "key_serializer": "required there; ours takes bytes as they are",
    "value_serializer": "required there; ours takes bytes as they are",
    "sasl_mechanism": "GSSAPI there, which ours has not",
    "enable_idempotence": "None says 'true unless acks or retries forbid it', which Java knows by looking",
}


def as_java_says_it(value):
    return "[]" if value == () else value


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - JAVA_HAS_NO.keys()))
def test_a_default_is_javas(java, name):
    defaults = java.order("defaults")
    told = defaults[JAVA_NAMES.get(name, name.replace("_", "."))]
    ours = as_java_says_it(FIELDS[name].default)
    assert (told != ours) == (name in ON_PURPOSE), (told, ours)


def test_every_setting_of_ours_has_a_reason_to_be(java):
    names = {name.replace("_", ".") for name in FIELDS.keys() - JAVA_HAS_NO.keys() - JAVA_NAMES.keys()}
    assert names <= set(java.order("defaults"))


REFUSED = {
    "acks=1 and idempotence": {"acks": "1", "enable.idempotence": True},
    "acks=0 and idempotence": {"acks": "0", "enable.idempotence": True},
    "no retries and idempotence": {"retries": 0, "enable.idempotence": True},
    "six in flight and idempotence": {
        "max.in.flight.requests.per.connection": 6,
        "enable.idempotence": True,
    },
    "six in flight": {"max.in.flight.requests.per.connection": 6},
    "six in flight, acks=1": {"max.in.flight.requests.per.connection": 6, "acks": "1"},
    "transactions with acks=1": {"transactional.id": "t", "acks": "1"},
    "transactions without retries": {"transactional.id": "t", "retries": 0},
    "transactions without idempotence": {"transactional.id": "t", "enable.idempotence": False},
    "too little time": {"delivery.timeout.ms": 30_000},
    "too little time to linger": {"delivery.timeout.ms": 31_000, "linger.ms": 2_000},
    "acks=2": {"acks": "2"},
    "acks=some": {"acks": "some"},
    "unknown codec": {"compression.type": "brotli"},
    "negative linger": {"linger.ms": -1},
    "negative batch": {"batch.size": -1},
    "negative buffer": {"buffer.memory": -1},
    "negative retries": {"retries": -1},
    "none in flight": {"max.in.flight.requests.per.connection": 0},
    "empty transactional id": {"transactional.id": ""},
    "no address": {"bootstrap.servers": ""},
    "no port": {"bootstrap.servers": "localhost"},
    "unknown protocol": {"security.protocol": "TLS"},
}
ACCEPTED = {
    "nothing": {},
    "acks=1": {"acks": "1"},
    "acks=-1": {"acks": "-1"},
    "no retries": {"retries": 0},
    "six in flight without idempotence": {
        "max.in.flight.requests.per.connection": 6,
        "enable.idempotence": False,
    },
    "just enough time": {"delivery.timeout.ms": 30_005},
    "no batching": {"batch.size": 0, "linger.ms": 0},
    **{codec: {"compression.type": codec} for codec in ("none", "gzip", "snappy", "lz4", "zstd")},
}
STRICTER = {
    "unknown name": ({"ack": "1"}, "Java takes no notice of a misspelt setting (KIP-42 left it so)"),
    "misspelt back-off": ({"retries.backoff.ms": 50}, "Java only logs it"),
    "no buffer": ({"buffer.memory": 0}, "it could hold no record"),
    "no request": ({"max.request.size": 0}, "it could hold no record"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_both_refuse(both, case):
    java, ours = (side.open(**NOWHERE | REFUSED[case]) for side in both)
    assert isinstance(java, Outcome)
    assert isinstance(ours, Outcome), "ours took it"
    assert same_error(java.error, ours.error), (java, ours)
    assert ours.thrown


@pytest.mark.parametrize("case", ACCEPTED)
def test_both_accept(both, case):
    for side in both:
        producer = side.open(**NOWHERE | ACCEPTED[case])
        assert not isinstance(producer, Outcome), producer
        assert producer.call("close") is None


@pytest.mark.parametrize("case", STRICTER)
def test_ours_is_stricter_on_purpose(both, case):
    java, ours = (side.open(**NOWHERE | STRICTER[case][0]) for side in both)
    if isinstance(java, JavaProducer):
        java.call("close")
    assert isinstance(java, JavaProducer), f"no longer a difference: {java}"
    assert ours.error == "ConfigError"
