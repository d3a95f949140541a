"""Settings are refused with a message that helps, before any traffic."""

import pytest

from kafkalab.producer import ConfigError, Producer, ProducerConfig

SECRET = "open sesame"
LOGIN = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "ada",
    "sasl_plain_password": SECRET,
}
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
    ({"acks": []}, "acks=[] is unknown"),
    ({"client_id": 5}, "client_id=5 is a int: give a str"),
    ({"enable_idempotence": "true"}, "enable_idempotence='true' is a str: give True or False"),
    ({"partitioner_ignore_keys": None}, "partitioner_ignore_keys=None is a NoneType"),
    ({"transaction_timeout_ms": 0}, "transaction_timeout_ms=0 is out of range"),
    ({"transaction_timeout_ms": 1.5}, "give a whole number"),
    # compression
    ({"compression_type": "zip"}, "'zip' is unknown: use one of 'none', 'gzip', 'snappy', 'lz4', 'zstd'"),
    ({"compression_type": ""}, "compression_type='' is unknown"),
    ({"compression_level": 3}, "compression_level=3 means nothing to compression_type='none'"),
    ({"compression_type": "snappy", "compression_level": 1}, "leave it out, or use gzip, lz4, zstd"),
    (
        {"compression_type": "gzip", "compression_level": 0},
        "compression_level=0 is out of range: give a whole",
    ),
    ({"compression_type": "gzip", "compression_level": 10}, "from 1 to 9"),
    ({"compression_type": "lz4", "compression_level": 18}, "from 1 to 17"),
    ({"compression_type": "zstd", "compression_level": 23}, "from -131072 to 22"),
    ({"compression_type": "zstd", "compression_level": "3"}, "compression_level='3' is a str"),
    # idempotence and transactions
    ({"enable_idempotence": True, "acks": 1}, "enable_idempotence=True contradicts acks=1"),
    ({"enable_idempotence": True, "retries": 0}, "contradicts retries=0"),
    (
        {"enable_idempotence": True, "max_in_flight_requests_per_connection": 6},
        "max_in_flight_requests_per_connection=6 is above 5",
    ),
    ({"max_in_flight_requests_per_connection": 6}, "lower it, or set enable_idempotence=False"),
    ({"max_in_flight_requests_per_connection": 6, "acks": 1}, "is above 5"),
    ({"transactional_id": "t", "enable_idempotence": False}, "contradicts enable_idempotence=False"),
    ({"transactional_id": "t", "acks": 1}, "transactional_id='t' contradicts acks=1"),
    ({"transactional_id": "t", "retries": 0}, "contradicts retries=0"),
    ({"transactional_id": ""}, "transactional_id='' is empty"),
    ({"transactional_id": b"t"}, "is a bytes: give a str"),
    # security
    ({"security_protocol": "TLS"}, "'TLS' is unknown: use one of 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT'"),
    ({"security_protocol": None}, "use one of"),
    (
        {"security_protocol": "SASL_SSL"},
        "needs sasl_mechanism and sasl_plain_username and sasl_plain_password",
    ),
    ({**LOGIN, "sasl_plain_password": ""}, "security_protocol='SASL_SSL' needs sasl_plain_password, too"),
    ({**LOGIN, "sasl_plain_username": "a\0b"}, "cannot hold the character NUL"),
    ({**LOGIN, "sasl_mechanism": "GSSAPI"}, "use one of 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'"),
    ({**LOGIN, "security_protocol": "SSL"}, "'SSL' has none; use SASL_SSL"),
    ({"sasl_plain_password": SECRET}, "sasl_plain_password without a login"),
    ({**LOGIN, "sasl_plain_password": SECRET.encode()}, "sasl_plain_password is a bytes"),
    ({"ssl_cafile": __file__}, "ssl_cafile without TLS"),
    (
        {"security_protocol": "SSL", "ssl_cafile": "/no/such.pem"},
        "ssl_cafile='/no/such.pem' holds no certificates: give a PEM file",
    ),
    ({"security_protocol": "SSL", "ssl_cafile": 5}, "ssl_cafile=5 holds no certificates"),
    ({"security_protocol": "SSL", "ssl_endpoint_identification_algorithm": "http"}, "use one of 'https', ''"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_a_wrong_setting_is_refused(settings, message):
    with pytest.raises(ConfigError) as refused:
        Producer(**settings)
    assert message in str(refused.value)
    assert SECRET not in str(refused.value)


def test_the_password_is_not_shown():
    config = ProducerConfig(**LOGIN)
    assert config.sasl_plain_password == SECRET
    assert SECRET not in repr(config)
    assert "ada" in repr(config)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"acks": 0}, "acks=0"),
        ({"acks": "1"}, "acks='1'"),
        ({"retries": 0}, "retries=0"),
        ({"acks": 1, "retries": 0}, "acks=1 and retries=0"),
    ],
)
def test_what_rules_out_idempotence_turns_it_off_with_one_warning(settings, reason):
    with pytest.warns(UserWarning, match=f"idempotence is off because of {reason}:") as warned:
        assert ProducerConfig.of(settings).enable_idempotence is False
    assert [each.filename for each in warned] == [__file__]


@pytest.mark.parametrize(
    ("settings", "idempotent"),
    [
        ({}, True),
        ({"acks": -1}, True),
        ({"enable_idempotence": None}, True),
        ({"enable_idempotence": True, "acks": "-1"}, True),
        ({"transactional_id": "t"}, True),
        ({"enable_idempotence": False}, False),
        ({"enable_idempotence": False, "acks": 0, "max_in_flight_requests_per_connection": 100}, False),
        ({"enable_idempotence": False, "retries": 0}, False),
    ],
)
def test_idempotence_is_on_unless_switched_off(settings, idempotent):
    assert ProducerConfig(**settings).enable_idempotence is idempotent


def test_what_the_check_settles():
    config = ProducerConfig(compression_type=None, security_protocol="ssl")
    assert (config.compression_type, config.security_protocol) == ("none", "SSL")


@pytest.mark.parametrize(
    ("codec", "levels"),
    [("gzip", (-1, 1, 9, None)), ("lz4", (1, 17)), ("zstd", (-131072, 0, 22)), ("snappy", (None,))],
)
def test_compression_levels(codec, levels):
    for level in levels:
        assert ProducerConfig(compression_type=codec, compression_level=level).compression_level == level


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
    assert (config.compression_type, config.enable_idempotence, config.transaction_timeout_ms) == (
        "none",
        True,
        60_000,
    )
    assert config.partitioner_adaptive_partitioning_enable is True
    assert config.security_protocol == "PLAINTEXT"
    assert config.ssl_endpoint_identification_algorithm == "https"


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
    assert ProducerConfig(acks=acks, enable_idempotence=False).required_acks == code
