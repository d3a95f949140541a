"""Batching and memory: what leaves, when, and what happens without room: Java's producer and ours."""

import itertools
import time

import pytest
from sides import Outcome, Record

from kafkalab.faults import FaultProxy

pytestmark = pytest.mark.cluster

LONG = {"linger.ms": 10_000}
LEADERS = {"assignment": [[1, 2, 3], [2, 3, 1]]}


def opened(side, servers, **settings):
    producer = side.open(**{"bootstrap.servers": servers, **settings})
    assert not isinstance(producer, Outcome), producer
    return producer


def on_the_wire(side, cluster, work, **settings):
    """Return the Produce requests of what `work(producer)` sends, once all of it is acknowledged."""
    with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
        producer = opened(side, proxy.bootstrap_servers, **settings)
        work(producer)
        producer.call("flush")
        assert [each.error for each in producer.outcomes() if each.error] == []
        producer.call("close")
        return proxy.recorder.find(api="Produce", direction="request")


def produce_requests(frames):
    return sum(frame.api == "Produce" and frame.direction == "request" for frame in frames)


def records(requests):
    return [sum(batch.records for batch in each.partitions) for each in requests]


@pytest.mark.alone
def test_records_within_the_linger_share_a_request(both, cluster, make_topic):
    topic = make_topic(cluster, "")

    def drip(producer):
        producer.send(topic, Record(b"warm up", None, 0))
        producer.call("flush")  # connections and producer id are there
        for _ in range(6):
            producer.send(topic, Record(b"drop", None, 0))
            time.sleep(0.04)

    for side in both:
        assert records(on_the_wire(side, cluster, drip, **LONG)) == [1, 6], side.name
        # A machine that stands still for 40 ms may join two; the control needs no more than four of six.
        assert len(on_the_wire(side, cluster, drip, **{"linger.ms": 0})) >= 5, side.name


@pytest.mark.alone
def test_lingering_saves_requests_and_may_save_time(both, cluster, make_topic):
    """A lone record pays for the linger; over a narrow line, many pay more without it."""
    topic = make_topic(cluster, "")
    many = {"enable.idempotence": False, "max.in.flight.requests.per.connection": 1000}
    for side in both:
        count, seconds = {}, {}
        for linger in (0, 100):
            with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
                producer = opened(side, proxy.bootstrap_servers, **many, **{"linger.ms": linger})
                producer.send(topic, Record(b"warm up", None, 0))
                producer.outcomes()
                began = time.monotonic()
                producer.send(topic, Record(b"alone", None, 0))
                producer.outcomes()
                alone = time.monotonic() - began
                assert linger == 0 or alone > 0.09
                proxy.throttle(15_000)
                began = time.monotonic()
                for _ in range(150):
                    producer.send(topic, Record(b"x" * 20, None, 0))
                    time.sleep(0.002)
                producer.outcomes()
                seconds[linger] = time.monotonic() - began
                count[linger] = len(proxy.recorder.find(api="Produce", direction="request"))
                producer.call("close")
        assert count[0] > 3 * count[100], side.name
        assert seconds[0] > seconds[100], side.name


@pytest.mark.alone
def test_linger_joins_sparse_records_and_leaves_full_batches_alone(both, cluster, make_topic):
    topic = make_topic(cluster, "")

    def sparse(producer):
        for _ in range(20):
            producer.send(topic, Record(b"drop", None, 0))
            time.sleep(0.03)

    def burst(producer):
        producer.send(topic, *[Record(b"x" * 1000, None, 0)] * 320)

    for side in both:
        count = {
            (work, linger): len(on_the_wire(side, cluster, work, **{"linger.ms": linger}))
            for work in (sparse, burst)
            for linger in (0, 100)
        }
        assert count[sparse, 0] > count[sparse, 100], side.name  # a busy machine joins some by itself
        assert 20 <= count[burst, 100] <= count[burst, 0] < 2 * count[burst, 100], side.name


def test_five_requests_are_under_way(both, cluster, make_topic):
    """Idempotent, one partition, a batch for each record: five are unanswered at the same time, no more."""
    topic = make_topic(cluster, "")
    for side in both:
        with FaultProxy(cluster.bootstrap_servers, record=True) as proxy:
            producer = opened(side, proxy.bootstrap_servers, **{"linger.ms": 0, "batch.size": 1})
            producer.send(topic, Record(b"warm up", None, 0))
            producer.outcomes()
            before = len(proxy.frames)
            held = proxy.hold("Produce", times=None)
            # So large, because the smallest batch of Java has room for three records of one byte.
            producer.send(topic, *[Record(b"v" * 100, None, 0)] * 12)
            proxy.recorder.wait(lambda it, old=before: produce_requests(it.frames[old:]) == 5)
            time.sleep(0.3)  # a sixth would come at once
            held.release()
            producer.outcomes()
            producer.call("close")
            frames = [frame for frame in proxy.frames[before:] if frame.api == "Produce"]
        under_way = itertools.accumulate(1 if frame.direction == "request" else -1 for frame in frames)
        assert (produce_requests(frames), max(under_way)) == (12, 5), side.name


def test_twice_the_memory_takes_twice_the_records_in_a_pause(both, cluster, make_topic):
    topic = make_topic(cluster, "", assignment=[[1, 2, 3]])
    for side in both:
        refused = {}
        for memory in (200_000, 400_000):
            with FaultProxy(cluster.bootstrap_servers) as proxy:
                settings = {"buffer.memory": memory, "max.block.ms": 1000, "linger.ms": 10_000}
                producer = opened(side, proxy.bootstrap_servers, **settings)
                producer.send(topic, Record(b"warm up", None, 0))
                producer.call("flush")
                producer.outcomes()
                held = proxy.hold("Produce", times=None)
                producer.send(topic, *[Record(b"x" * 1000, None, 0)] * 193)
                held.wait()
                proxy.release()
                producer.call("flush")
                refused[memory] = sum(each.error is not None for each in producer.outcomes())
                producer.call("close")
        assert refused == {200_000: 1, 400_000: 0}, side.name


def test_a_request_carries_a_batch_of_each_partition(both, cluster, make_topic):
    topic = make_topic(cluster, "", assignment=[[1, 2, 3]] * 3)
    for side in both:
        (request,) = on_the_wire(
            side,
            cluster,
            lambda producer: producer.send(topic, *[Record(b"x" * 120, None, n % 3) for n in range(300)]),
            **LONG,
        )
        assert [batch.records for batch in request.partitions] == [100] * 3, side.name
        assert max(batch.size for batch in request.partitions) <= 16_384 < request.size, side.name


def test_a_record_larger_than_batch_size_goes_alone(both, cluster, make_topic):
    topic = make_topic(cluster, "")
    sizes = (100, 100, 5000, 100)
    for side in both:
        requests = on_the_wire(
            side,
            cluster,
            lambda producer: producer.send(topic, *[Record(b"x" * size, None, 0) for size in sizes]),
            **LONG,
            **{"batch.size": 1000},
        )
        assert records(requests) == [2, 1, 1], side.name


@pytest.mark.alone
def test_one_pool_for_all_partitions(both, cluster, make_topic):
    """Six batches of a silent broker's partition use up the pool; a healthy broker's record is refused."""
    topic = make_topic(cluster, "", **LEADERS)
    settings = {"buffer.memory": 100_000, "max.block.ms": 1000, **LONG}
    for side in both:
        with FaultProxy(cluster.bootstrap_servers) as proxy:
            held = proxy.hold("Produce", broker=1)
            producer = opened(side, proxy.bootstrap_servers, **settings)
            producer.send(topic, *[Record(b"x" * 1000, None, 0)] * 96)
            held.wait()
            assert producer.done() == [False] * 96, side.name
            began = time.monotonic()
            producer.send(topic, Record(b"just one", None, 1))
            assert 0.99 < time.monotonic() - began < 3, side.name
            proxy.release()
            producer.call("flush")
            *queue, neighbour = producer.outcomes()
            assert [each.error for each in queue] == [None] * 96, side.name
            assert neighbour.error in {"BufferExhaustedException", "BufferExhaustedError"}
            assert not neighbour.thrown
            producer.send(topic, Record(b"just one", None, 1))
            producer.call("flush")
            assert [each.error for each in producer.outcomes()] == [None], "the memory is back"
            producer.call("close")


@pytest.mark.alone
def test_metadata_and_memory_share_max_block_ms(both, cluster, make_topic):
    full, late = make_topic(cluster, "full", assignment=[[1, 2, 3]]), make_topic(cluster, "late")
    settings = {"buffer.memory": 20_000, "max.block.ms": 1500, **LONG}
    for side in both:
        with FaultProxy(cluster.bootstrap_servers) as proxy:
            held = proxy.hold("Produce")
            producer = opened(side, proxy.bootstrap_servers, **settings)
            producer.send(full, *[Record(b"x" * 1000, None, 0)] * 16)
            proxy.delay("Metadata", 1.2)
            began = time.monotonic()
            producer.send(late, Record(b"v", None, 0))
            seconds = time.monotonic() - began
            assert 1.49 < seconds < 2.6, (side.name, seconds)  # Java counts whole milliseconds
            held.cancel()
            proxy.release()
            producer.call("flush")
            *_, told = producer.outcomes()
            assert told.error in {"BufferExhaustedException", "BufferExhaustedError"}, side.name
            assert not told.thrown
            producer.call("close")


@pytest.mark.alone
def test_who_waits_for_memory_ends_the_linger(both, cluster, make_topic):
    """Room for two batches, three partitions, ten seconds to linger: the third record waits for less.

    Nobody wakes Java's I/O thread for it: if it has looked just before, once in ten times, it sleeps on.
    """
    topic = make_topic(cluster, "", assignment=[[1, 2, 3]] * 3)

    def seconds(side):
        producer = opened(side, cluster.bootstrap_servers, **{"buffer.memory": 40_000}, **LONG)
        began = time.monotonic()
        producer.send(topic, *[Record(b"!", None, partition) for partition in range(3)])
        taken = time.monotonic() - began
        producer.call("flush")
        assert [each.error for each in producer.outcomes()] == [None] * 3, side.name
        producer.call("close")
        return taken

    for side in both:
        tries = 5 if side.name == "Java" else 1
        assert any(seconds(side) < 6 for _ in range(tries)), side.name
