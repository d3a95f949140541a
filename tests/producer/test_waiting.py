"""Time and threads: one deadline for send(), lingering to the millisecond, no wake-up lost, memory shared."""

import threading
import time

import pytest
from cluster_helpers import wait_until
from fake_broker import METADATA, PRODUCE, FakeBroker
from kafka.errors import NotEnoughReplicasError
from kafka.record.memory_records import MemoryRecords

from kafkalab.producer import BufferExhaustedError, MetadataTimeoutError, Producer, RecordTooLargeError
from kafkalab.producer.partitioners import DefaultPartitioner, Partitions


@pytest.fixture
def broker():
    with FakeBroker() as made:
        yield made


@pytest.mark.alone
def test_max_block_ms_is_one_deadline_for_metadata_and_memory_together(broker):
    """Metadata takes 0.9 of 1.0 seconds, so 0.1 are left to wait for memory.

    The first record is refused and rests, so its memory stays taken while the connection stays free.
    """
    stored = broker.produce

    def refused(connection, request):
        response = stored(connection, request)
        response.responses[0].partition_responses[0].error_code = NotEnoughReplicasError.errno
        return response

    broker.answer[PRODUCE] = refused

    def late(connection, request):
        if any(topic.name == "late" for topic in request.topics):
            time.sleep(0.9)
        return broker.metadata(connection, request)

    broker.answer[METADATA] = late
    with Producer(
        bootstrap_servers=broker.address,
        linger_ms=0,
        batch_size=1000,
        buffer_memory=1000,
        max_block_ms=1000,
        retry_backoff_ms=60_000,
        retry_backoff_max_ms=60_000,
    ) as producer:
        producer.send("t", b"x")
        wait_until(lambda: broker.produced)
        started = time.monotonic()
        future = producer.send("late", b"x")
        assert 1.0 <= time.monotonic() - started < 1.7
        assert isinstance(future.exception(0), BufferExhaustedError)
        producer.close(timeout=0)


@pytest.mark.parametrize("max_block_ms", [0, 100])
def test_send_returns_after_max_block_ms_whatever_is_missing(broker, max_block_ms):
    broker.answer[METADATA] = lambda *_: None
    with Producer(bootstrap_servers=broker.address, max_block_ms=max_block_ms) as producer:
        started = time.monotonic()
        error = producer.send("t", b"x").exception(0)
        assert max_block_ms / 1000 <= time.monotonic() - started < max_block_ms / 1000 + 0.5
    assert isinstance(error, MetadataTimeoutError)


def test_batches_are_no_larger_than_a_request_though_batch_size_is(broker):
    with Producer(
        bootstrap_servers=broker.address, batch_size=100_000, max_request_size=1000, linger_ms=50
    ) as producer:
        futures = [producer.send("t", b"x" * 100) for _ in range(40)]
        alone = producer.send("t", b"x" * 930)  # 1000 bytes with all that is around it
        refused = producer.send("t", b"x" * 931)
        producer.flush()
    assert isinstance(refused.exception(0), RecordTooLargeError)
    assert [future.result(0).offset for future in (*futures, alone)] == list(range(41))
    sizes = [len(each.topic_data[0].partition_data[0].records) for each in broker.produced]
    assert 900 < max(sizes) <= 1000
    assert len(sizes) < 10


def test_a_record_larger_than_batch_size_travels_and_its_neighbours_do_too(broker):
    with Producer(bootstrap_servers=broker.address, batch_size=200, linger_ms=20) as producer:
        futures = [producer.send("t", b"x" * size) for size in (10, 5000, 10, 10, 9000, 10)]
        producer.flush()
        assert producer.accumulator.pool.available == producer.config.buffer_memory
    assert [future.result(0).offset for future in futures] == list(range(6))


def test_however_slow_the_broker_no_more_than_buffer_memory_is_waiting(broker):
    go_on, peak = threading.Event(), []

    def slow(connection, request):
        go_on.wait(10)
        return broker.produce(connection, request)

    broker.answer[PRODUCE] = slow
    with Producer(
        bootstrap_servers=broker.address, linger_ms=0, batch_size=1000, buffer_memory=10_000
    ) as producer:
        pool = producer.accumulator.pool

        def flood():
            for _ in range(60):
                futures.append(producer.send("t", b"x" * 400))
                peak.append(sum(batch.size for batch in producer.accumulator.incomplete()))

        futures = []
        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_until(lambda: pool.waiting == 4)
        assert 0 <= pool.available < 1000
        go_on.set()
        for thread in threads:
            thread.join(20)
        producer.flush()
        assert sorted(future.result(0).offset for future in futures) == list(range(240))
        assert pool.available == 10_000
    assert 8000 < max(peak) <= 10_000


@pytest.mark.alone
@pytest.mark.parametrize("asleep_for", ["nothing to do", "another batch that lingers longer"])
def test_a_batch_that_lingers_wakes_a_thread_that_wanted_to_sleep_longer(broker, asleep_for):
    with Producer(bootstrap_servers=broker.address, linger_ms=150, metadata_max_age_ms=300_000) as producer:
        producer.partitions_for("t")
        if asleep_for != "nothing to do":
            producer.partitions_for("slow")
            producer.send("slow", b"x")
            (other,) = producer.accumulator.incomplete()
            other.created += 3
            producer.accumulator.wakeup()
            wait_until(lambda: 2 < producer.accumulator._next_look - time.monotonic() < 4)
        started = time.monotonic()
        assert producer.send("t", b"x").result(10).offset == 0
        assert 0.15 <= time.monotonic() - started < 1.2


@pytest.mark.alone
def test_lingering_is_over_after_linger_ms_again_and_again(broker):
    """Each time the thread has gone back to sleep, for hours if nobody wakes it."""
    with Producer(bootstrap_servers=broker.address, linger_ms=10) as producer:
        producer.send("t", b"x").result(10)
        for _ in range(100):
            started = time.monotonic()
            producer.send("t", b"x").result(10)
            assert 0.01 <= time.monotonic() - started < 1


@pytest.mark.parametrize("linger_ms", [0, 1])
def test_no_wake_up_is_lost_in_thousands_of_round_trips(linger_ms):
    slowest, offsets = [], []

    def trips(partition):
        for number in range(400):
            started = time.monotonic()
            told = producer.send("t", b"%d" % number, partition=partition).result(20)
            slowest.append(time.monotonic() - started)
            offsets.append((partition, told.offset))

    with (
        FakeBroker(partitions=4) as broker,
        Producer(bootstrap_servers=broker.address, linger_ms=linger_ms) as producer,
    ):
        threads = [threading.Thread(target=trips, args=(partition,)) for partition in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert max(slowest) < 1
    assert sorted(offsets) == [(partition, offset) for partition in range(4) for offset in range(400)]


def test_records_of_each_thread_keep_their_order_while_all_send_at_once(broker):
    got = []

    def store(connection, request):
        batch = MemoryRecords(request.topic_data[0].partition_data[0].records).next_batch()
        got.extend(record.value for record in batch)
        return broker.produce(connection, request)

    broker.answer[PRODUCE] = store
    with Producer(bootstrap_servers=broker.address, linger_ms=1, batch_size=300) as producer:

        def work(thread):
            for number in range(200):
                producer.send("t", b"%d %d" % (thread, number))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    for thread in range(8):
        mine = [value for value in got if value.startswith(b"%d " % thread)]
        assert mine == [b"%d %d" % (thread, number) for number in range(200)]


def test_two_threads_may_move_on_from_a_partition_at_the_same_time():
    partitioner, three = DefaultPartitioner(seed=1, sticky_bytes=1), Partitions(range(3), topic="t")
    first = partitioner.partition("t", None, b"", three)

    class Interrupted(dict):
        """Another thread moves on between a look and the change that follows from it."""

        def setdefault(self, topic, appended):
            since = super().setdefault(topic, appended)
            del self[topic]
            return since

    partitioner._since = Interrupted(t=0)
    moved = partitioner.on_new_batch(three.targets[first], 10, three, lambda _: 100, lambda _: {})
    assert moved in three.targets.values()
