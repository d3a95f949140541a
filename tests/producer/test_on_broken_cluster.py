"""The producer against real brokers that are killed, frozen, and come back."""

import logging
import threading
import time

import pytest
import readers
from cluster_helpers import make_topic, wait_until

from kafkalab import Producer
from kafkalab.producer import (
    BufferExhaustedError,
    DeliveryTimeoutError,
    MetadataTimeoutError,
    ProducerClosedError,
    Trace,
)

pytestmark = pytest.mark.cluster
log = logging.getLogger(__name__)


@pytest.fixture(autouse=True)
def _heal(cluster):
    yield
    cluster.heal()


@pytest.fixture
def kept(cluster, request):
    """A topic whose only partition is led by broker 1 and survives it."""
    return make_topic(cluster, request, assignment=[[1, 2, 3]], config={"min.insync.replicas": "2"})


@pytest.fixture
def lone(cluster, request):
    """A topic whose only replica is on broker 2."""
    return make_topic(cluster, request, assignment=[[2]])


def quick(cluster, **settings):
    """A producer that loses patience soon."""
    given = {"linger_ms": 0, "request_timeout_ms": 1000, "delivery_timeout_ms": 30_000, **settings}
    return Producer(bootstrap_servers=cluster.bootstrap_servers, **given)


class Stream:
    """Numbered records sent one after the other by a thread, until told to stop."""

    def __init__(self, producer, topic):
        self.futures = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(producer, topic))
        self._thread.start()

    def _run(self, producer, topic):
        while not self._stop.wait(0.001):
            self.futures.append(producer.send(topic, b"%d" % len(self.futures)))

    def acknowledged(self):
        return sum(future.done() for future in list(self.futures))

    def go_on_for(self, count):
        """Wait until `count` more records are acknowledged."""
        wanted = len(self.futures) + count
        wait_until(lambda: self.acknowledged() >= wanted, 30)

    def stop(self):
        self._stop.set()
        self._thread.join(30)


def check_nothing_lost(cluster, topic, futures, *, in_order):
    """All acknowledged records are there, at their offsets; says how many are there twice."""
    offsets = {b"%d" % i: future.result(0).offset for i, future in enumerate(futures)}
    stored = cluster.offsets(topic, 0).high_watermark
    read = [(r.offset, r.value) for r in readers.by_kafka_python(cluster.bootstrap_servers, topic, stored)]
    values = [value for _, value in read]
    assert not offsets.keys() - set(values)
    assert {(offset, value) for value, offset in offsets.items()} <= set(read)
    log.info("%d records, %d of them twice", len(futures), readers.duplicates(values))
    if in_order:
        assert readers.first_occurrences(values) == list(offsets)


@pytest.mark.parametrize("in_flight", [1, 5])
def test_a_killed_leader_loses_nothing_and_with_one_request_in_flight_order_is_kept(cluster, kept, in_flight):
    with quick(cluster, max_in_flight_requests_per_connection=in_flight) as producer:
        stream = Stream(producer, kept)
        stream.go_on_for(50)
        cluster.kill(1)
        stream.go_on_for(50)
        cluster.restart(1)
        stream.go_on_for(20)
        stream.stop()
        producer.flush()
        check_nothing_lost(cluster, kept, stream.futures, in_order=in_flight == 1)


def test_a_leader_frozen_longer_than_request_timeout_is_left_for_the_next(cluster, kept):
    trace = Trace(records=False)
    with quick(cluster, trace=trace, max_in_flight_requests_per_connection=1) as producer:
        stream = Stream(producer, kept)
        stream.go_on_for(20)
        cluster.pause(1)
        stream.go_on_for(20)
        stream.stop()
        producer.flush()
        assert trace.find("retried")
        cluster.resume(1)
        check_nothing_lost(cluster, kept, stream.futures, in_order=True)


def test_a_frozen_only_replica_ends_in_delivery_timeout_at_its_time_and_nothing_is_stuck(cluster, lone):
    with quick(cluster, request_timeout_ms=500, delivery_timeout_ms=1500) as producer:
        producer.send(lone, b"before").result(10)
        cluster.pause(2)
        started = time.monotonic()
        error = producer.send(lone, b"meanwhile").exception(10)
        assert 1.45 < time.monotonic() - started < 3
        assert isinstance(error, DeliveryTimeoutError)
        assert "1 records" in str(error)
        assert producer.accumulator.pool.available == producer.config.buffer_memory
        cluster.resume(2)
        cluster.wait_leader(lone, 0)
        assert producer.send(lone, b"after").result(10)


def test_a_frozen_broker_fills_the_buffer_and_everything_is_free_when_it_is_back(cluster, lone):
    memory, block = 100_000, 300
    with quick(
        cluster, request_timeout_ms=20_000, buffer_memory=memory, batch_size=1000, max_block_ms=block
    ) as producer:
        producer.send(lone, b"warm").result(10)
        cluster.pause(2)
        futures = [producer.send(lone, b"x" * 500) for _ in range(memory // 1000)]
        started = time.monotonic()
        error = producer.send(lone, b"x" * 900).exception(0)
        assert block / 1000 <= time.monotonic() - started < 2
        assert isinstance(error, BufferExhaustedError)
        assert "max_block_ms" in str(error)
        cluster.resume(2)
        producer.flush()
        assert all(future.exception(0) is None for future in futures)
        assert producer.accumulator.pool.available == memory


def test_close_with_a_timeout_fails_what_a_frozen_broker_keeps(cluster, lone):
    producer = quick(cluster, request_timeout_ms=20_000)
    producer.send(lone, b"warm").result(10)
    cluster.pause(2)
    futures = [producer.send(lone, b"x") for _ in range(20)]
    started = time.monotonic()
    producer.close(timeout=0.5)
    assert 0.45 < time.monotonic() - started < 2
    assert {type(future.exception(0)) for future in futures} == {ProducerClosedError}
    assert not producer._thread.is_alive()


def test_all_brokers_dead_is_told_in_time_and_forgotten_when_they_are_back(cluster, kept):
    with quick(cluster, delivery_timeout_ms=1500, max_block_ms=500) as producer:
        producer.send(kept, b"before").result(10)
        for broker in cluster.broker_ids:
            cluster.kill(broker)
        started = time.monotonic()
        known = producer.send(kept, b"meanwhile")
        unknown = producer.send("never-seen", b"meanwhile")
        assert isinstance(unknown.exception(0), MetadataTimeoutError)
        assert isinstance(known.exception(10), DeliveryTimeoutError)
        assert 1.4 < time.monotonic() - started < 4
        cluster.heal()
        wait_until(lambda: producer.send(kept, b"after").exception(10) is None, 30)
