"""The caller's side of send(), without a broker."""

import pytest
from fake_broker import FakeBroker
from kafka.record.memory_records import MemoryRecords

from kafkalab.producer import (
    MetadataTimeoutError,
    Producer,
    ProducerClosedError,
    ProducerInterceptor,
    RecordTooLargeError,
    json_serializer,
    string_serializer,
)
from kafkalab.producer.serializers import bytes_serializer, serialize


@pytest.fixture
def producer(free_port):
    with Producer(bootstrap_servers=f"127.0.0.1:{free_port}", max_block_ms=50) as made:
        yield made


@pytest.fixture
def free_port():
    import socket

    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]  # bound but not listening: connections are refused


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("",), ValueError, "topic '' is not a legal name"),
        (("a b",), ValueError, "a-z A-Z 0-9"),
        ((".",), ValueError, "legal"),
        (("x" * 250,), ValueError, "1 to 249"),
        ((b"t",), TypeError, "topic must be a str"),
        (("t", "text"), TypeError, r"no serializer for str 'text'.*value_serializer=string_serializer"),
        (("t", b"", 5), TypeError, "no serializer for int 5"),
        (("t", b"", None, -1), ValueError, "partition=-1 is negative"),
        (("t", b"", None, "0"), TypeError, "partition='0' is a str"),
        (("t", b"", None, True), TypeError, "partition=True is a bool"),
        (("t", b"", None, 0, {"a": b"b"}), TypeError, "headers are a list of"),
        (("t", b"", None, 0, [("a", "text")]), TypeError, "got .'a', 'text'."),
        (("t", b"", None, 0, None, -5), ValueError, "timestamp_ms=-5 is negative"),
        (("t", b"", None, 0, None, 1.5), TypeError, "timestamp_ms=1.5 is a float"),
        (("t", b"", None, 0, None, 2**63), ValueError, "later than Kafka can say .* give milliseconds"),
    ],
)
def test_a_record_that_cannot_be_one_is_refused_at_once(producer, arguments, error, message):
    with pytest.raises(error, match=message):
        producer.send(*arguments)


def test_a_timestamp_in_seconds_is_suspected(producer):
    import time

    with pytest.warns(UserWarning, match="looks like seconds") as warned:
        producer.send("t", b"", timestamp_ms=int(time.time()))
    assert [each.filename for each in warned] == [__file__]


def test_what_cannot_be_delivered_fails_through_the_future(producer):
    future = producer.send("t", b"x")
    assert isinstance(future.exception(0), MetadataTimeoutError)
    assert "still unknown after max_block_ms" in str(future.exception(0))
    assert "cannot connect" in str(future.exception(0)) or "refused" in str(future.exception(0)).lower()


def test_a_record_larger_than_a_request_fails_before_any_traffic(free_port):
    with Producer(bootstrap_servers=f"127.0.0.1:{free_port}", max_request_size=1000) as producer:
        future = producer.send("t", b"x" * 1000)
    assert isinstance(future.exception(0), RecordTooLargeError)
    assert "1070 bytes in a batch exceed max_request_size=1000" in str(future.exception(0))


def test_interceptors_hear_of_failures_and_cannot_break_anything(free_port, caplog):
    class Curious(ProducerInterceptor):
        def on_acknowledgement(self, metadata, error):
            heard.append((metadata, error))
            raise RuntimeError("mine")

        def on_send(self, record):
            raise RuntimeError("mine too")

    heard = []
    with Producer(
        bootstrap_servers=f"127.0.0.1:{free_port}", max_block_ms=1, interceptors=[Curious()]
    ) as producer:
        future = producer.send("t", b"x")
    assert heard == [(None, future.exception(0))]
    assert "on_send failed" in caplog.text


def test_after_close_nothing_is_accepted_and_closing_again_is_no_error(producer):
    producer.close()
    with pytest.raises(ProducerClosedError, match="make a new one"):
        producer.send("t", b"x")
    producer.close()


def test_serializers():
    assert serialize(string_serializer, "t", "ä", "value") == b"\xc3\xa4"
    assert serialize(json_serializer, "t", {"ä": [1, None]}, "value") == '{"ä":[1,null]}'.encode()
    assert serialize(json_serializer, "t", None, "value") is None
    assert serialize(bytes_serializer, "t", bytearray(b"x"), "key") == b"x"
    with pytest.raises(TypeError, match="give it a str"):
        serialize(string_serializer, "t", b"x", "value")
    with pytest.raises(TypeError, match=r"key serializer .* returned str 'x'"):
        serialize(lambda topic, data: data, "t", "x", "key")


def test_partitions_for_refuses_what_is_no_topic(producer):
    with pytest.raises(TypeError, match="topic must be a str"):
        producer.partitions_for(b"t")


@pytest.mark.parametrize("chosen", [1.5, "1", None, 3, -1])
def test_a_partitioner_must_choose_one_of_the_numbers(chosen):
    class Wrong:
        def partition(self, topic, key, value, partitions):
            return chosen

    with (
        FakeBroker(partitions=3) as broker,
        Producer(bootstrap_servers=broker.address, partitioner=Wrong()) as producer,
        pytest.raises(ValueError, match=rf"chose partition {chosen!r} of topic 't', which has \[0, 1, 2\]"),
    ):
        producer.send("t", b"x")


def test_an_interceptor_that_returns_nothing_is_skipped_and_told(caplog):
    class Forgetful(ProducerInterceptor):
        def on_send(self, record):
            pass

    with (
        FakeBroker() as broker,
        Producer(bootstrap_servers=broker.address, interceptors=[Forgetful()]) as producer,
    ):
        assert producer.send("t", b"x").result(5).offset == 0
    assert "on_send returned None: return a ProducerRecord" in caplog.text


def test_a_record_is_sent_as_it_was_when_it_was_accepted():
    headers = [("a", b"1"), ["b", None], ("a", b"2")]
    with FakeBroker() as broker, Producer(bootstrap_servers=broker.address, linger_ms=10_000) as producer:
        producer.send("t", b"x", headers=headers)
        headers[1][1] = b"changed"
        headers.append(("c", b"3"))
        producer.flush()
    (record,) = MemoryRecords(broker.produced[0].topic_data[0].partition_data[0].records).next_batch()
    assert record.headers == [("a", b"1"), ("b", None), ("a", b"2")]
