"""Brokers that lie, stay silent or vanish: the I/O thread lives, and every outcome is told in time."""

import os
import socket
import struct
import threading
import time

import pytest
from cluster_helpers import wait_until
from fake_broker import API_VERSIONS, METADATA, PRODUCE, FakeBroker
from kafka.protocol.metadata import ApiVersionsResponse

from kafkalab.producer import (
    DeliveryTimeoutError,
    MetadataTimeoutError,
    Producer,
    ProducerClosedError,
)

GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    struct.pack(">i", -1),
    struct.pack(">i", 0),
    struct.pack(">i", 2) + b"\0\0",
    struct.pack(">i", 50) + b"\xff" * 50,
]


@pytest.fixture
def broker():
    with FakeBroker() as made:
        yield made


# --- lying brokers --------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("api", [API_VERSIONS, METADATA, PRODUCE])
def test_garbage_is_an_error_of_that_connection_and_another_attempt_succeeds(broker, api, garbage):
    lies = iter([garbage])

    def lie_once(connection, request):
        honest = {API_VERSIONS: broker.api_versions, METADATA: broker.metadata, PRODUCE: broker.produce}[api]
        return next(lies, None) or honest(connection, request)

    broker.answer[api] = lie_once
    with Producer(bootstrap_servers=broker.address, linger_ms=0, request_timeout_ms=500) as producer:
        assert producer.send("t", b"x").result(10).partition == 0


def test_random_garbage_never_ends_the_io_thread(broker):
    broker.answer[PRODUCE] = lambda connection, request: (
        struct.pack(">i", 40) + struct.pack(">i", connection.correlation_id) + os.urandom(36)
    )
    with Producer(
        bootstrap_servers=broker.address,
        linger_ms=0,
        retry_backoff_ms=1,
        retry_backoff_max_ms=1,
        reconnect_backoff_ms=1,
        request_timeout_ms=100,
        delivery_timeout_ms=1500,
    ) as producer:
        future = producer.send("t", b"x")
        wait_until(lambda: len(broker.produced) > 5 or future.done())
        del broker.answer[PRODUCE]
        future.exception(5)
        assert producer.send("t", b"y").result(5)


def test_an_answer_for_a_partition_nobody_asked_about_is_ignored(broker):
    def answer(connection, request):
        response = broker.produce(connection, request)
        extra = broker.produce(connection, request).responses[0].partition_responses[0]
        extra.index = 77
        response.responses[0].partition_responses.insert(0, extra)
        return response

    broker.answer[PRODUCE] = answer
    with Producer(bootstrap_servers=broker.address, linger_ms=0) as producer:
        assert producer.send("t", b"x").result(5).offset == 0


def test_a_broker_without_a_common_version_is_named_as_the_reason(broker):
    broker.answer[API_VERSIONS] = lambda *_: ApiVersionsResponse(
        error_code=0, api_keys=[ApiVersionsResponse.ApiVersion(api_key=18, min_version=0, max_version=4)]
    )
    with Producer(bootstrap_servers=broker.address, max_block_ms=300) as producer:
        error = producer.send("t", b"x").exception(5)
    assert isinstance(error, MetadataTimeoutError)
    assert "does not support the 'Metadata" in str(error)


def test_a_silent_broker_is_given_up_and_the_next_address_tried(broker):
    with FakeBroker() as silent:
        silent.answer[API_VERSIONS] = lambda *_: None
        started = time.monotonic()
        with Producer(bootstrap_servers=[silent.address, broker.address], linger_ms=0) as producer:
            producer.send("t", b"x").result(10)
        assert 0.9 < time.monotonic() - started < 4  # _IMPATIENT_S, not the whole setup timeout


def test_a_listening_socket_that_never_accepts_is_given_up_too(broker):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with Producer(bootstrap_servers=[address, broker.address], linger_ms=0) as producer:
            producer.send("t", b"x").result(10)


@pytest.mark.alone
def test_a_dead_address_first_costs_no_waiting(broker):
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound but not listening: refused
        address = f"127.0.0.1:{dead.getsockname()[1]}"
        started = time.monotonic()
        with Producer(bootstrap_servers=[address, broker.address], linger_ms=0) as producer:
            producer.send("t", b"x").result(10)
        assert time.monotonic() - started < 0.9


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example"])
def test_a_host_name_that_cannot_be_one_is_a_failure_like_any_other(broker, host):
    with Producer(bootstrap_servers=[f"{host}:9092", broker.address], linger_ms=0) as producer:
        producer.send("t", b"x").result(5)


def test_localhost_is_found_whichever_protocol_answers(broker):
    with Producer(bootstrap_servers=f"localhost:{broker.port}", linger_ms=0) as producer:
        producer.send("t", b"x").result(5)


# --- time -----------------------------------------------------------------------------------------


def test_a_silent_leader_is_tried_again_on_a_new_connection_after_request_timeout(broker):
    silence = [None, None]
    broker.answer[PRODUCE] = lambda *call: silence.pop() if silence else broker.produce(*call)
    started = time.monotonic()
    with Producer(bootstrap_servers=broker.address, linger_ms=0, request_timeout_ms=200) as producer:
        assert producer.send("t", b"x").result(10).offset == 0
    assert 0.4 < time.monotonic() - started < 4
    assert len(broker.produced) == 3
    first, *others = [request.topic_data[0].partition_data[0].records for request in broker.produced]
    assert others == [first, first]


@pytest.mark.alone
def test_delivery_timeout_comes_at_its_time(broker):
    broker.answer[PRODUCE] = lambda *_: None
    with Producer(
        bootstrap_servers=broker.address, linger_ms=0, request_timeout_ms=200, delivery_timeout_ms=700
    ) as producer:
        producer.partitions_for("t")
        started = time.monotonic()
        error = producer.send("t", b"x").exception(10)
        assert 0.69 < time.monotonic() - started < 1.5
    assert isinstance(error, DeliveryTimeoutError)


def test_metadata_is_refreshed_when_it_is_old(broker):
    with Producer(bootstrap_servers=broker.address, linger_ms=0, metadata_max_age_ms=50) as producer:
        assert len(producer.partitions_for("t")) == 1
        broker.partitions = 3
        wait_until(lambda: len(producer.partitions_for("t")) == 3)


def test_idle_connections_are_closed_in_time_and_opened_again(broker):
    with Producer(bootstrap_servers=broker.address, linger_ms=0, connections_max_idle_ms=100) as producer:
        producer.send("t", b"x").result(5)
        wait_until(lambda: broker.connected() == 0, 3)
        producer.send("t", b"y").result(5)


# --- the end --------------------------------------------------------------------------------------


def test_close_is_noticed_even_between_two_turns_of_the_loop(broker):
    producer = Producer(bootstrap_servers=broker.address, linger_ms=0)
    producer.send("t", b"x").result(5)
    run_once, closed = producer.sender.run_once, threading.Event()

    def close_first(now):
        if not closed.is_set():
            closed.set()
            producer.sender.close()  # as another thread may, after the loop looked and before it sleeps
        run_once(now)

    producer.sender.run_once = close_first
    producer.sender._client.wakeup()
    producer._thread.join(3)
    assert not producer._thread.is_alive()
    producer.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_if_the_io_thread_dies_nobody_waits_and_nothing_stays_open(broker):
    producer = Producer(bootstrap_servers=broker.address, linger_ms=10_000)
    future = producer.send("t", b"x")
    waiting = threading.Thread(target=producer.send, args=("other", b"x"))
    broker.answer[METADATA] = lambda *_: None
    waiting.start()
    wait_until(lambda: "other" in producer.metadata._used)

    def die(now):
        raise ZeroDivisionError

    producer.sender.run_once = die
    producer.sender._client.wakeup()
    assert isinstance(future.exception(5), ZeroDivisionError)
    waiting.join(5)
    assert not waiting.is_alive()
    wait_until(lambda: broker.connected() == 0)
    with pytest.raises(ProducerClosedError):
        producer.send("t", b"x")
    producer.close()


def test_a_flushed_future_has_told_its_callbacks(broker):
    told, entered, go_on = [], threading.Event(), threading.Event()

    def slow_callback(future):
        entered.set()
        go_on.wait(5)
        told.append(future.result(0).offset)

    with Producer(bootstrap_servers=broker.address, linger_ms=10_000) as producer:
        producer.send("t", b"x").add_done_callback(slow_callback)
        flusher = threading.Thread(target=producer.flush)
        flusher.start()
        assert entered.wait(5)
        flusher.join(0.2)
        assert flusher.is_alive()
        go_on.set()
        flusher.join(5)
        assert told == [0]


def test_flush_in_a_callback_is_refused_instead_of_waiting_for_itself(broker):
    refused = []

    def flush(_):
        try:
            producer.flush()
        except RuntimeError as error:
            refused.append(str(error))

    with Producer(bootstrap_servers=broker.address, linger_ms=10_000) as producer:
        producer.send("t", b"x").add_done_callback(flush)
        producer.close(timeout=5)
    (message,) = refused
    assert "callback" in message


def test_memory_is_back_when_the_result_is_known(broker):
    with Producer(bootstrap_servers=broker.address, linger_ms=0) as producer:
        for _ in range(50):
            producer.send("t", b"x").result(5)
            assert producer.accumulator.pool.available == producer.config.buffer_memory


def test_close_delivers_what_was_lingering(broker):
    producer = Producer(bootstrap_servers=broker.address, linger_ms=10_000)
    futures = [producer.send("t", b"%d" % i) for i in range(10)]
    producer.close()
    assert [future.result(0).offset for future in futures] == list(range(10))
