"""Bad input: each refused with a message that names it and says what to do, before any traffic."""

import threading
import time
import warnings

import pytest
from fake_broker import FakeBroker

from kafkalab.producer import (
    ConfigError,
    Producer,
    ProducerClosedError,
    TransactionStateError,
    string_serializer,
)

NAN = float("nan")


@pytest.fixture(scope="module")
def broker():
    with FakeBroker(partitions=3) as made:
        yield made


@pytest.fixture(scope="module")
def producer(broker):
    with Producer(bootstrap_servers=broker.address, linger_ms=0) as made:
        made.send("known", b"x").result(10)
        yield made


# What is wrong with it, the arguments of send(), and three things the message has to name.
RECORDS = [
    ("text without a serializer", {"value": "text"}, TypeError, ["str", "'text'", "value_serializer="]),
    ("a number as value", {"value": 5}, TypeError, ["int", "5", "value_serializer="]),
    ("a dict as value", {"value": {"a": 1}}, TypeError, ["dict", "serializer"]),
    ("text as key", {"key": "text"}, TypeError, ["str", "'text'", "key_serializer"]),
    ("a number as key", {"key": 5}, TypeError, ["int", "5", "key_serializer"]),
    ("a negative partition", {"partition": -1}, ValueError, ["partition=-1", "from 0", "None"]),
    ("a partition as text", {"partition": "1"}, TypeError, ["partition='1'", "str", "a number from 0"]),
    ("a partition that is no whole number", {"partition": 1.0}, TypeError, ["partition=1.0", "float"]),
    ("a topic with a space", {"topic": "a b"}, ValueError, ["'a b'", "249", "a-z A-Z 0-9 . _ -"]),
    ("a topic with a line break", {"topic": "known\n"}, ValueError, ["known\\n", "legal"]),
    ("an empty topic", {"topic": ""}, ValueError, ["''", "1 to 249"]),
    ("a topic of dots", {"topic": ".."}, ValueError, ["'..'", "alone"]),
    ("a long topic", {"topic": "x" * 250}, ValueError, ["xxx", "249"]),
    ("a topic of other letters", {"topic": "grüße"}, ValueError, ["grüße", "legal"]),
    ("a topic of bytes", {"topic": b"known"}, TypeError, ["b'known'", "str"]),
    ("no topic", {"topic": None}, TypeError, ["None", "str"]),
    ("topics", {"topic": ["known"]}, TypeError, ["['known']", "list"]),
    ("headers as a dict", {"headers": {"a": b"b"}}, TypeError, ["headers", "list of (str, bytes", "dict"]),
    ("one header", {"headers": ("a", b"b")}, TypeError, ["headers", "'a'"]),
    ("a header value as text", {"headers": [("a", "b")]}, TypeError, ["headers", "('a', 'b')"]),
    ("a header name as bytes", {"headers": [(b"a", b"b")]}, TypeError, ["headers", "(b'a', b'b')"]),
    ("a header of three", {"headers": [("a", b"b", 1)]}, TypeError, ["headers", "1"]),
    ("a header that is no UTF-8", {"headers": [("\ud800", b"")]}, ValueError, ["surrogates"]),
    ("a negative time", {"timestamp_ms": -1}, ValueError, ["timestamp_ms=-1", "milliseconds since 1970"]),
    ("a time as text", {"timestamp_ms": "now"}, TypeError, ["timestamp_ms='now'", "None for now"]),
    ("a time with a fraction", {"timestamp_ms": time.time()}, TypeError, ["float", "milliseconds"]),
    ("a time in nanoseconds, and more", {"timestamp_ms": 2**63}, ValueError, ["later than Kafka can say"]),
]


@pytest.mark.parametrize("topic", ["known", "not-seen-before"])
@pytest.mark.parametrize(
    ("arguments", "error", "named"), [each[1:] for each in RECORDS], ids=[each[0] for each in RECORDS]
)
def test_a_record_that_cannot_be_one_raises_before_any_traffic(
    broker, producer, topic, arguments, error, named
):
    before = len(broker.requests)
    with pytest.raises(error) as refused:
        producer.send(**{"topic": topic, "value": b"x", **arguments})
    assert [each for each in named if each not in str(refused.value)] == []
    assert len(broker.requests) == before
    assert producer.accumulator.incomplete() == []
    assert producer.accumulator.pool.available == producer.config.buffer_memory


def test_nothing_of_that_was_left_behind(producer):
    assert producer.send("known", b"x").result(10).offset is not None
    assert not producer.metadata.snapshot.topics.keys() - {"known"}


@pytest.mark.parametrize("which", ["key", "value"])
def test_a_serializer_that_returns_text_is_named(broker, which):
    def wrong(topic, data):
        return "text"

    with Producer(bootstrap_servers=broker.address, **{f"{which}_serializer": wrong}) as producer:
        before = len(broker.requests)
        with pytest.raises(
            TypeError, match=rf"{which} serializer .*wrong.* returned str 'text'.*bytes or None"
        ):
            producer.send("t", **{which: b"x"})
        assert len([each for each in broker.requests[before:] if getattr(each, "topics", None)]) == 0


def test_a_serializer_for_each_kind_of_data_is_what_the_message_says(broker):
    with Producer(
        bootstrap_servers=broker.address, key_serializer=string_serializer, value_serializer=string_serializer
    ) as producer:
        assert producer.send("t", "text", "key").result(10)


def test_a_time_in_seconds_is_suspected_and_sent(producer):
    with pytest.warns(UserWarning, match=r"timestamp_ms=\d{10} looks like seconds: Kafka wants milliseconds"):
        future = producer.send("known", b"x", timestamp_ms=int(time.time()))
    assert future.result(10)


@pytest.mark.parametrize(
    "timestamp_ms", [0, 1, int(time.time() * 1000), 2**62], ids=["zero", "one", "now", "far away"]
)
def test_other_times_are_not_suspected(producer, timestamp_ms):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        producer.send("known", b"x", timestamp_ms=timestamp_ms).result(10)


SETTINGS = [
    *[
        ({name: value}, [f"{name}={value}", "out of range"])
        for name in ("request_timeout_ms", "delivery_timeout_ms", "transaction_timeout_ms")
        for value in (0, -1)
    ],
    *[
        ({name: -1}, [f"{name}=-1", "from 0"])
        for name in ("linger_ms", "max_block_ms", "retry_backoff_ms", "reconnect_backoff_ms", "retries")
    ],
    ({"request_timeout_ms": NAN}, ["request_timeout_ms=nan", "out of range"]),
    ({"linger_ms": float("inf")}, ["linger_ms=inf", "out of range"]),
    ({"request_timeout_ms": "30s"}, ["request_timeout_ms='30s'", "str", "number"]),
    ({"request_timeout_ms": None}, ["request_timeout_ms=None", "number"]),
    ({"delivery_timeout_ms": 1000}, ["delivery_timeout_ms=1000", "request_timeout_ms", "30005"]),
    ({"enable_idempotence": True, "acks": 0}, ["enable_idempotence=True", "acks=0"]),
    ({"transactional_id": "t", "acks": 1}, ["transactional_id='t'", "acks=1"]),
    ({"lingerms": 5}, ["unknown setting 'lingerms'", "'linger_ms'"]),
]


@pytest.mark.parametrize(("settings", "named"), SETTINGS, ids=lambda each: str(each)[:50])
def test_a_wrong_setting_raises_before_there_is_a_thread(broker, settings, named):
    before, threads = len(broker.requests), threading.active_count()
    with pytest.raises(ConfigError) as refused:
        Producer(bootstrap_servers=broker.address, **settings)
    assert [each for each in named if each not in str(refused.value)] == []
    assert len(broker.requests) == before
    assert not [each for each in threading.enumerate()[threads:] if "kafkalab" in each.name]


def test_a_closed_producer_takes_nothing_more(broker):
    producer = Producer(bootstrap_servers=broker.address)
    producer.close()
    before = len(broker.requests)
    for verb in (
        lambda: producer.send("known", b"x"),
        lambda: producer.send("known", b"x", partition=1, key=b"k", timestamp_ms=1),
        lambda: producer.partitions_for("not-seen-before"),
    ):
        with pytest.raises(ProducerClosedError, match="closed"):
            verb()
    producer.flush()  # nothing is left: no error
    producer.close()
    assert len(broker.requests) == before


@pytest.mark.parametrize("verb", ["begin_transaction", "commit_transaction", "abort_transaction"])
def test_a_transactional_verb_out_of_turn_names_state_and_verbs_before_any_traffic(broker, verb):
    producer = Producer(bootstrap_servers="127.0.0.1:1", transactional_id="t", max_block_ms=500)
    try:
        out_of_turn = rf"{verb}\(\) is out of turn in state UNINITIALIZED.*allowed: init_transactions\(\)"
        with pytest.raises(TransactionStateError, match=out_of_turn):
            getattr(producer, verb)()
        with pytest.raises(TransactionStateError, match="init_transactions"):
            producer.send("t", b"x")
    finally:
        producer.close(timeout=0)


def test_without_a_transactional_id_the_verbs_say_how_to_get_them(producer):
    with pytest.raises(TransactionStateError, match='transactional_id="'):
        producer.begin_transaction()
