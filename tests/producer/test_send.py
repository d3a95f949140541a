"""The caller's side of send(), without a broker."""

import pytest

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
    ],
)
def test_a_record_that_cannot_be_one_is_refused_at_once(producer, arguments, error, message):
    with pytest.raises(error, match=message):
        producer.send(*arguments)


def test_a_timestamp_in_seconds_is_suspected(producer):
    import time

    with pytest.warns(UserWarning, match="looks like seconds"):
        producer.send("t", b"", timestamp_ms=int(time.time()))


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
