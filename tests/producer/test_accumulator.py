"""When a batch is ready, what a drain takes, where a retry goes: no sockets and a made-up clock."""

import threading
import time

import pytest
from records import Raw, put_record

from kafkalab.producer import ProducerClosedError, ProducerConfig, RecordAccumulator, TopicPartition, Trace
from kafkalab.producer.batch import BatchState

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def make(**settings):
    trace = Trace()
    return RecordAccumulator(ProducerConfig(**settings), trace), trace


def put_blindly(accumulator, target, size, count):
    for _ in range(count):
        record = Raw(1000, None, b"x" * size)
        if accumulator.try_append(target, record) is None:
            accumulator.open_batch(target, record, time.monotonic() + 5)


def put(accumulator, target=P0, size=100, count=1):
    deadline = time.monotonic() + 1
    return [put_record(accumulator, target, Raw(1000, None, b"x" * size), deadline) for _ in range(count)]


def drain_all(accumulator, now):
    return accumulator.drain(sorted(accumulator.ready(now)[0]), now)


def test_a_lone_record_lingers_exactly_linger_ms():
    accumulator, trace = make(linger_ms=5)
    (appended,) = put(accumulator)
    created = appended.batch.created
    ready, ask_again = accumulator.ready(created + 0.004)
    assert (ready, ask_again) == (set(), created + 0.005)
    assert accumulator.ready(created + 0.005)[0] == {P0}
    assert drain_all(accumulator, created + 0.005) == [appended.batch]
    assert [event.data["why"] for event in trace.find("drained")] == ["linger"]


def test_a_full_batch_does_not_linger_and_is_never_larger_than_batch_size():
    accumulator, trace = make(linger_ms=10_000, batch_size=1000)
    appended = put(accumulator, count=20)
    now = time.monotonic()
    sent = []
    while batches := drain_all(accumulator, now):
        sent += batches
    assert [len(batch) for batch in sent] == [8, 8]  # 61 + 8 x 109 bytes; the last four linger
    assert all(len(batch.encode()) == batch.size <= 1000 for batch in sent)
    assert {event.data["why"] for event in trace.find("drained")} == {"full"}
    assert len(appended[-1].batch) == 4


@pytest.mark.parametrize("count", [3, 2000])
def test_the_trace_tells_the_size_that_travels_whoever_compressed(count):
    """A batch that lingered is made bytes by the drain; of 2,000 records, the first is by send()."""
    accumulator, trace = make(linger_ms=5, compression_type="gzip")
    put_blindly(accumulator, P0, 100, count)
    (batch,) = drain_all(accumulator, time.monotonic() + 1)
    assert [event.data["size"] for event in trace.find("drained")] == [len(batch.encode())]


def test_a_record_larger_than_a_batch_travels_alone():
    accumulator, _ = make(batch_size=200, linger_ms=10_000)
    put(accumulator, size=20, count=2)
    put(accumulator, size=5000)
    put(accumulator, size=20)
    now = time.monotonic()
    assert [len(drain_all(accumulator, now)[0]) for _ in range(2)] == [2, 1]


def test_batch_size_zero_makes_every_record_a_batch():
    accumulator, _ = make(batch_size=0)
    put(accumulator, count=3)
    assert [len(batch) for batch in accumulator.incomplete()] == [1, 1, 1]


def test_a_drain_takes_one_batch_of_each_partition_within_the_request_size():
    accumulator, _ = make(batch_size=1000, linger_ms=0, max_request_size=1500)
    for target in (P0, P1):
        put(accumulator, target, count=20)
    now = time.monotonic()
    assert [batch.target for batch in drain_all(accumulator, now)] == [P0]  # two would be 1882 bytes
    both, _ = make(batch_size=1000, linger_ms=0)
    for target in (P0, P1):
        put(both, target, count=20)
    assert [batch.target for batch in drain_all(both, now + 1)] == [P0, P1]


def test_a_batch_that_is_not_ready_comes_along_with_one_that_is_but_not_out_of_its_back_off():
    accumulator, trace = make(linger_ms=10_000, batch_size=1000)
    put(accumulator, P0, count=9)
    put(accumulator, P1)
    now = time.monotonic()
    assert accumulator.ready(now)[0] == {P0}
    full, along = accumulator.drain(accumulator.targets(), now)
    assert [event.data["why"] for event in trace.find("drained")] == ["full", "along"]
    accumulator.put_back(along, now)
    assert accumulator.drain([P1], now) == []
    assert full.target == P0


def test_the_least_recently_drained_partition_comes_first():
    accumulator, _ = make(batch_size=0, linger_ms=0, max_request_size=200)
    put(accumulator, P0, count=3)
    put(accumulator, P1, count=3)
    order = [accumulator.drain(accumulator.targets(), time.monotonic())[0].target for _ in range(6)]
    assert order == [P0, P1] * 3


def test_a_retry_waits_out_its_back_off_at_its_old_place():
    accumulator, trace = make(batch_size=0, linger_ms=0, retry_backoff_ms=100)
    first, second, third = (appended.batch for appended in put(accumulator, count=3))
    now = time.monotonic()
    assert accumulator.drain([P0], now) == [first]
    assert accumulator.drain([P0], now) == [second]
    accumulator.put_back(second, now)
    accumulator.put_back(first, now)
    assert accumulator.queued()[P0] == [first, second, third]
    assert accumulator.ready(now + 0.079)[0] == set()
    assert drain_all(accumulator, now + 0.121) == [first]
    assert first.attempts == 2
    assert [event.data["why"] for event in trace.find("drained", batch=first.number)] == ["full", "retry"]


def test_bytes_do_not_change_between_attempts():
    accumulator, _ = make(linger_ms=0)
    put(accumulator)
    now = time.monotonic() + 1
    (batch,) = drain_all(accumulator, now)
    before = batch.encode()
    accumulator.put_back(batch, now)
    put(accumulator)  # must not slip into the batch that was sent already
    assert (len(batch), batch.encode()) == (1, before)
    assert len(accumulator.queued()[P0]) == 2


def test_an_open_batch_can_be_looked_at_as_bytes_and_still_grow():
    accumulator, _ = make()
    (appended,) = put(accumulator)
    before = appended.batch.encode()
    put(accumulator)
    assert len(appended.batch.encode()) == appended.batch.size > len(before)


def test_memory_comes_back_when_the_outcome_is_known_not_before():
    accumulator, _ = make(batch_size=1000, buffer_memory=5000, linger_ms=0)
    put(accumulator, count=3)
    assert accumulator.pool.available == 4000
    (batch,) = drain_all(accumulator, time.monotonic() + 1)
    assert accumulator.pool.available == 4000
    accumulator.put_back(batch, 0)
    assert accumulator.pool.available == 4000
    accumulator.drain([P0], time.monotonic() + 1)
    accumulator.finish(batch)
    assert accumulator.pool.available == 5000
    assert accumulator.incomplete() == []


def test_one_budget_for_all_partitions():
    accumulator, _ = make(batch_size=1000, buffer_memory=1500)
    put(accumulator, P0)
    from kafkalab.producer import BufferExhaustedError

    with pytest.raises(BufferExhaustedError):
        put_record(accumulator, P1, Raw(0, None, b"x"), time.monotonic() + 0.05)


def test_whoever_waits_for_memory_makes_batches_ready():
    accumulator, _ = make(batch_size=1000, buffer_memory=1500, linger_ms=10_000)
    woken = threading.Event()
    accumulator.wakeup = woken.set
    put(accumulator, P0)
    woken.clear()
    thread = threading.Thread(target=put, args=(accumulator, P1))
    thread.start()
    assert woken.wait(5)
    (batch,) = drain_all(accumulator, time.monotonic())
    accumulator.finish(batch)
    thread.join(5)
    assert [len(batches) for batches in accumulator.queued().values()] == [1]


def test_flush_makes_everything_ready_and_waits_for_the_outcome():
    accumulator, _ = make(linger_ms=10_000)
    put(accumulator)
    woken = threading.Event()
    accumulator.wakeup = woken.set
    flusher = threading.Thread(target=accumulator.flush)
    flusher.start()
    assert woken.wait(5)
    (batch,) = drain_all(accumulator, time.monotonic())
    assert flusher.is_alive()
    accumulator.finish(batch)
    batch.delivery.acknowledge(0)
    flusher.join(5)
    assert not flusher.is_alive()
    put(accumulator)
    assert accumulator.ready(time.monotonic())[0] == set()


def test_what_is_unwanted_is_removed_wherever_it_waits():
    accumulator, _ = make(linger_ms=0)
    (old,), (other,) = put(accumulator, P0), put(accumulator, P1)
    assert accumulator.remove(lambda batch: batch is old.batch) == [old.batch]
    assert accumulator.queued() == {P1: [other.batch]}
    put(accumulator, P0)
    assert len(old.batch) == 1  # what was removed takes no more


def test_closed_means_no_more_records_and_no_more_lingering():
    accumulator, _ = make(linger_ms=10_000)
    put(accumulator)
    accumulator.close()
    with pytest.raises(ProducerClosedError):
        put(accumulator)
    assert len(drain_all(accumulator, time.monotonic())) == 1


def test_a_batch_cannot_leave_its_life_line():
    accumulator, _ = make()
    (appended,) = put(accumulator)
    with pytest.raises(RuntimeError, match="cannot become 'waiting'"):
        appended.batch.become(BatchState.WAITING)


def test_many_threads_lose_nothing():
    accumulator, _ = make(batch_size=500, linger_ms=0)
    threads = [
        threading.Thread(target=put_blindly, args=(accumulator, TopicPartition("t", i % 3), 50, 500))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    drained = 0
    while any(thread.is_alive() for thread in threads) or accumulator.queued():
        for batch in drain_all(accumulator, time.monotonic()):
            drained += len(batch)
            accumulator.finish(batch)
    assert drained == 8 * 500
    assert accumulator.pool.available == accumulator.config.buffer_memory


def test_linger_is_kept_by_what_stands_behind_a_full_batch():
    accumulator, _ = make(linger_ms=10_000, batch_size=1000)
    put(accumulator, count=12)
    now = time.monotonic()
    assert [len(batch) for batch in drain_all(accumulator, now)] == [8]
    assert accumulator.ready(now)[0] == set()


def test_a_batch_that_becomes_full_wakes_the_sender():
    accumulator, _ = make(linger_ms=10_000, batch_size=61 + 2 * 109)
    put(accumulator)
    woken = threading.Event()
    accumulator.wakeup = woken.set
    (appended,) = put(accumulator)
    assert appended.batch.full
    assert woken.is_set()


def test_of_two_who_waited_to_open_a_batch_the_second_gives_its_memory_back():
    accumulator, _ = make(batch_size=1000, buffer_memory=2000, linger_ms=0)
    first, second = put(accumulator, P0), put(accumulator, P1)
    other = TopicPartition("t", 2)
    threads = [threading.Thread(target=put, args=(accumulator, other)) for _ in range(2)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1
    while accumulator.pool.waiting < 2:
        assert time.monotonic() < end
    now = time.monotonic() + 1
    assert {batch.target for batch in accumulator.drain([P0, P1], now)} == {P0, P1}
    for appended in (*first, *second):
        accumulator.finish(appended.batch)
    for thread in threads:
        thread.join(5)
    assert [len(batch) for batch in accumulator.queued()[other]] == [2]
    assert accumulator.pool.available == 1000
