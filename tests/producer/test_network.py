"""Connections that break, dead addresses, when to try again: the real client, brokers of our own."""

import socket
import threading
import time

import pytest
from cluster_helpers import wait_until
from fake_broker import API_VERSIONS, METADATA, PRODUCE, FakeBroker
from kafka import errors as kafka_errors
from kafka.protocol.metadata import MetadataRequest

from kafkalab.producer import (
    DefaultPartitioner,
    Producer,
    ProducerConfig,
    UnknownPartitionError,
)
from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.metadata import Metadata, Snapshot
from kafkalab.producer.network_client import NetworkClient


@pytest.fixture
def broker():
    with FakeBroker() as made:
        yield made


def client_of(*brokers, **settings):
    return NetworkClient(ProducerConfig(bootstrap_servers=[each.address for each in brokers], **settings))


def poll_until(client, condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "polled in vain"
        client.poll(0.01)


def connect(client, node):
    poll_until(client, lambda: client.can_send(node, time.monotonic()))


def read_ahead(client, node):
    """Wait until the connection has something to read, without reading it."""
    import select

    assert select.select([client._connections[node].socket], [], [], 5)[0]


# --- brokers that metadata does not list ------------------------------------------------------------


def test_asked_for_a_broker_that_metadata_does_not_list_it_wants_fresh_metadata(broker):
    """A coordinator, back from the dead, is known to FindCoordinator before it is known to us."""
    client, wanted = client_of(broker), []
    client.on_lost = lambda: wanted.append(True)
    assert not client.can_send(7, time.monotonic())
    assert wanted == [True]


def test_a_back_off_that_ends_between_being_asked_and_sleeping_is_not_slept_through():
    """The loop's `now` is older than poll()'s: put off at the one, due at the other, a node woke nobody."""
    client = NetworkClient(ProducerConfig(bootstrap_servers="127.0.0.1:1"))
    turn = time.monotonic()
    client.give_up_late(turn)
    client._retry_at[-1] = turn + 0.001
    assert client.any_node(turn) is None
    wait_until(lambda: time.monotonic() > turn + 0.002)
    client.poll(5)
    assert time.monotonic() - turn < 2
    client.close()


# --- broken connections ---------------------------------------------------------------------------


def test_a_connection_found_broken_by_sending_does_not_break_the_next_poll(broker):
    client, outcomes = client_of(broker), []
    connect(client, -1)
    broker.disconnect()
    read_ahead(client, -1)
    client.send(-1, MetadataRequest(topics=[]), lambda *each: outcomes.append(each), time.monotonic(), 5)
    client.poll(0)
    client.poll(0)
    ((response, error),) = outcomes
    assert response is None
    assert isinstance(error, kafka_errors.KafkaConnectionError)
    client.close()


def test_a_connection_dropped_by_one_answer_may_have_an_event_of_its_own(broker):
    with FakeBroker() as other:
        client = client_of(broker, other)
        for node in (-1, -2):
            connect(client, node)
        snapshot = Snapshot(brokers={1: ("127.0.0.1", broker.port)})
        client.poll(0)  # the selector forgets what was ready before
        client.send(-1, MetadataRequest(topics=[]), lambda *_: client.learn(snapshot), time.monotonic(), 5)
        client._connections[-1].write()
        read_ahead(client, -1)
        other.disconnect()
        read_ahead(client, -2)
        client.poll(1)
        client.poll(0)
        assert set(client._connections) <= {1}
        client.close()


def test_a_request_without_an_answer_is_done_although_one_with_an_answer_was_before_it(broker):
    go_on = threading.Event()

    def slowly(connection, request):
        go_on.wait(5)
        return broker.metadata(connection, request)

    settings = {"acks": 0, "enable_idempotence": False, "linger_ms": 0, "request_timeout_ms": 2000}
    with Producer(bootstrap_servers=broker.address, **settings) as producer:
        producer.send("t", b"first").result(5)
        wait_until(lambda: len(broker.produced) == 1)
        broker.answer[METADATA] = slowly
        asked = len(broker.requests)
        producer.metadata.want_update()
        producer.sender._client.wakeup()
        wait_until(lambda: len(broker.requests) > asked)
        future = producer.send("t", b"behind the question")
        wait_until(lambda: producer.sender._client._connections[1].in_flight == 2)
        go_on.set()
        assert future.result(1).offset is None
        wait_until(lambda: len(broker.produced) == 2)


# --- small print ----------------------------------------------------------------------------------


def test_waits_double_give_or_take_a_fifth_and_never_exceed_the_limit():
    backoff = ExponentialBackoff(100, 1000)
    for failures, middle in enumerate((0.1, 0.2, 0.4, 0.8, 1.0, 1.0), start=1):
        for _ in range(50):
            assert middle * 0.8 <= backoff.seconds(failures) <= min(middle * 1.2, 1.0)


def test_a_lost_connection_is_told_and_a_new_one_forgets_the_failure(broker):
    client, lost = client_of(broker), []
    client.on_lost = lambda: lost.append(client.trouble)
    connect(client, -1)
    broker.disconnect()
    poll_until(client, lambda: lost)
    assert client._failures == {-1: 1}
    connect(client, -1)
    assert (client._failures, client.trouble) == ({}, None)
    client.close()


def test_a_dead_address_is_left_alone_for_the_back_off(dead_address):
    client, lost = NetworkClient(ProducerConfig(bootstrap_servers=dead_address, reconnect_backoff_ms=100)), []
    client.on_lost = lambda: lost.append(time.monotonic())
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        client.any_node(time.monotonic())
        client.poll(0.01)
    assert 1 <= len(lost) <= 4  # at 0, 0.1, 0.3 s, give or take
    client.close()


@pytest.fixture
def dead_address():
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound but not listening: refused
        yield f"127.0.0.1:{dead.getsockname()[1]}"


def test_when_no_broker_answers_the_bootstrap_addresses_help_again(broker, dead_address):
    client = client_of(broker, reconnect_backoff_ms=1)
    client.learn(Snapshot(brokers={1: ("127.0.0.1", int(dead_address.split(":")[1]))}))
    poll_until(client, lambda: client.any_node(time.monotonic()) == -1)
    client.close()


def test_connections_to_bootstrap_addresses_end_when_the_brokers_are_known(broker):
    client = client_of(broker)
    connect(client, -1)
    client.learn(Snapshot(brokers={1: ("127.0.0.1", broker.port)}))
    assert client._connections == {}
    client.close()


def test_setting_up_a_connection_has_a_time_limit(broker):
    broker.answer[API_VERSIONS] = lambda *_: None
    client, lost = client_of(broker, request_timeout_ms=100), []
    client.on_lost = lambda: lost.append(client.trouble)
    client.any_node(time.monotonic())
    end = time.monotonic() + 5
    while not lost:
        assert time.monotonic() < end
        client.give_up_late(time.monotonic())
        client.poll(0.01)
    assert isinstance(lost[0], TimeoutError)
    client.close()


def test_every_address_of_a_host_gets_its_turn(broker, dead_address, monkeypatch):
    dead_port = int(dead_address.split(":")[1])
    targets = [("127.0.0.1", port) for port in (dead_port, broker.port)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", target) for target in targets]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    client = client_of(broker, reconnect_backoff_ms=1)
    poll_until(client, lambda: client.any_node(time.monotonic()) == -1)
    client.close()


def test_without_answers_a_record_is_done_when_its_last_byte_has_left(broker):
    reading = threading.Event()
    broker.answer[PRODUCE] = lambda *_: None if reading.wait(10) else b""
    megabyte = b"x" * 1_000_000
    with Producer(
        bootstrap_servers=broker.address,
        acks=0,
        enable_idempotence=False,
        linger_ms=0,
        batch_size=0,
        max_in_flight_requests_per_connection=100,
    ) as producer:
        futures = [producer.send("t", megabyte) for _ in range(25)]
        wait_until(futures[0].done)
        assert not futures[-1].done()
        reading.set()
        producer.flush()
        wait_until(lambda: len(broker.produced) == 25)
    sizes = [len(request.topic_data[0].partition_data[0].records) for request in broker.produced]
    assert min(sizes) == max(sizes) > len(megabyte)


def test_what_left_without_an_answer_makes_room_for_more_at_once(broker):
    """The loop once slept after each five batches, until somebody sent again or the records expired."""
    settings = {"acks": 0, "enable_idempotence": False, "linger_ms": 0, "batch_size": 0}
    with Producer(bootstrap_servers=broker.address, **settings) as producer:
        producer.partitions_for("t")
        started = time.monotonic()
        futures = [producer.send("t", b"%d" % number) for number in range(500)]
        producer.flush()
        assert time.monotonic() - started < 5
    assert [future.exception(0) for future in futures] == [None] * 500
    wait_until(lambda: len(broker.produced) == 500)


def test_a_topic_unused_for_long_is_no_longer_asked_for():
    metadata, now = Metadata(ProducerConfig()), time.monotonic()
    metadata._used["t"] = now
    assert [topic.name for topic in metadata.request(now + 299).topics] == ["t"]
    assert metadata.request(now + 301).topics == []


def test_only_records_without_key_and_partition_count_for_stickiness(broker):
    class Counting(DefaultPartitioner):
        def on_new_batch(self, target, size, *rest):
            counted.append(size)
            return target

    counted = []
    with Producer(bootstrap_servers=broker.address, partitioner=Counting(), batch_size=0) as producer:
        producer.send("t", b"x", key=b"k")
        producer.send("t", b"x", partition=0)
        assert counted == []
        producer.send("t", b"x")
        assert len(counted) == 1


def test_no_more_requests_are_in_flight_than_allowed(broker):
    broker.answer[PRODUCE] = lambda *_: None
    producer = Producer(
        bootstrap_servers=broker.address,
        enable_idempotence=False,
        batch_size=0,
        linger_ms=0,
        max_in_flight_requests_per_connection=2,
    )
    for _ in range(10):
        producer.send("t", b"x")
    wait_until(lambda: len(broker.produced) == 2)
    wait_until(lambda: len(producer.accumulator.incomplete()) == 10)
    assert producer.sender._client._connections[1].in_flight == 2
    producer.close(timeout=0)
    assert len(broker.produced) == 2


def test_a_topic_without_an_answer_for_a_moment_has_no_wrong_number_of_partitions(broker):
    """It is deleted and made anew with more of them; in between the broker does not know it."""
    answers = iter([5, 5])

    def metadata(connection, request):
        response = broker.metadata(connection, request)
        code = next(answers, 0) if broker.partitions == 3 else 0
        for topic in response.topics:
            topic.error_code, topic.partitions = code, [] if code else topic.partitions
        return response

    broker.answer[METADATA] = metadata
    with Producer(bootstrap_servers=broker.address, linger_ms=0, retry_backoff_ms=1) as producer:
        producer.send("t", b"x").result(5)
        broker.partitions = 3
        assert producer.send("t", b"x", partition=2).result(5).partition == 2
        with pytest.raises(UnknownPartitionError, match="no partition 3: it has 3"):
            producer.send("t", b"x", partition=3)


def test_a_topic_that_is_gone_again_when_its_waiter_wakes_is_waited_for_again(broker):
    with Producer(bootstrap_servers=broker.address) as producer:
        metadata = producer.metadata
        honest, gone = metadata._await, [True]

        def wait(*arguments):
            honest(*arguments)
            if gone and gone.pop():
                metadata.snapshot = Snapshot(brokers=metadata.snapshot.brokers)

        metadata._await = wait
        assert list(producer.partitions_for("t")) == [0]
