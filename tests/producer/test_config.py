"""Settings are refused with a message that helps, before any traffic."""

import pytest

from kafkalab.producer import ConfigError, Producer, ProducerConfig

WRONG = [
    ({"linger": 5}, "unknown setting 'linger': did you mean 'linger_ms'?"),
    ({"retries_backoff_ms": 5}, "did you mean 'retry_backoff_ms'?"),
    ({"ack": 1}, "did you mean 'acks'?"),
    ({"batch.size": 1}, "did you mean 'batch_size'?"),
    ({"xyzzy": 1}, "known are bootstrap_servers, "),
    ({"acks": 2}, 'acks=2 is unknown: use 0, 1 or "all" (-1)'),
    ({"acks": True}, "acks=True"),
    ({"linger_ms": -1}, "linger_ms=-1 is out of range: give a number from 0 to 2147483647"),
    ({"batch_size": 1.5}, "batch_size=1.5 is a float: give a whole number"),
    ({"request_timeout_ms": 0}, "request_timeout_ms=0 is out of range"),
    ({"max_in_flight_requests_per_connection": 0}, "from 1 to"),
    ({"buffer_memory": "1"}, "buffer_memory='1' is a str"),
    (
        {"delivery_timeout_ms": 30_000},
        "delivery_timeout_ms=30000 is below linger_ms + request_timeout_ms = 30005",
    ),
    ({"bootstrap_servers": ""}, "names no broker"),
    ({"bootstrap_servers": "nowhere"}, "bootstrap server 'nowhere' is not \"host:port\""),
    ({"bootstrap_servers": "h:0"}, "port from 1 to 65535"),
    ({"bootstrap_servers": 5}, "bootstrap_servers=5"),
    ({"value_serializer": "json"}, "value_serializer='json' is not callable"),
    ({"partitioner": hash}, "has no partition() method"),
    ({"interceptors": object()}, "interceptors="),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_a_wrong_setting_is_refused(settings, message):
    with pytest.raises(ConfigError) as refused:
        Producer(**settings)
    assert message in str(refused.value)


def test_defaults_are_those_of_the_java_client():
    config = ProducerConfig()
    assert (config.required_acks, config.linger_ms, config.batch_size) == (-1, 5, 16384)
    assert (config.delivery_timeout_ms, config.request_timeout_ms, config.retries) == (
        120_000,
        30_000,
        2**31 - 1,
    )
    assert (config.buffer_memory, config.max_block_ms, config.max_request_size) == (
        33_554_432,
        60_000,
        1_048_576,
    )
    assert (config.retry_backoff_ms, config.retry_backoff_max_ms) == (100, 1000)
    assert config.max_in_flight_requests_per_connection == 5


@pytest.mark.parametrize(
    ("servers", "addresses"),
    [
        ("a:1", [("a", 1)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        (["a:1", "[::1]:2"], [("a", 1), ("::1", 2)]),
    ],
)
def test_bootstrap_servers(servers, addresses):
    assert ProducerConfig(bootstrap_servers=servers).bootstrap_addresses == addresses


@pytest.mark.parametrize(("acks", "code"), [(0, 0), (1, 1), ("all", -1), (-1, -1), ("1", 1)])
def test_acks(acks, code):
    assert ProducerConfig(acks=acks).required_acks == code
