"""What a trace is told about memory and about the way into a batch."""

import time

import pytest
from records import Raw

from kafkalab.producer import BufferExhaustedError, Producer, ProducerConfig, RecordAccumulator, Trace
from kafkalab.producer.record import TopicPartition

P0 = TopicPartition("t", 0)


def full_of(count, trace, batch_size=1000):
    accumulator = RecordAccumulator(
        ProducerConfig(batch_size=batch_size, buffer_memory=count * batch_size), trace
    )
    for number in range(count):
        record = Raw(1000, None, b"x" * 900)
        accumulator.open_batch(TopicPartition("t", number), record, time.monotonic() + 1)
    return accumulator


def told(trace):
    return [(event.name, event.data) for event in trace.events if event.name.startswith("memory")]


def test_a_batch_says_how_large_it_may_become_and_what_it_holds_of_the_memory():
    trace = Trace()
    full_of(2, trace)
    assert told(trace) == [("memory", {"total": 2000})]
    assert [(e.data["limit"], e.data["reserved"]) for e in trace.find("new_batch")] == [(1000, 1000)] * 2


def test_a_wait_for_memory_is_told_with_its_end():
    trace = Trace()
    accumulator = full_of(1, trace)
    with pytest.raises(BufferExhaustedError):
        accumulator.open_batch(P0, Raw(1000, None, b"x" * 900), time.monotonic() + 0.01)
    assert told(trace)[1:] == [
        ("memory_wanted", {"size": 1000, "left": 0}),
        ("memory_refused", {"size": 1000}),
    ]


def test_memory_that_comes_free_is_told():
    trace = Trace()
    accumulator = full_of(1, trace)
    (batch,) = accumulator.incomplete()
    accumulator.wakeup = lambda: (
        accumulator.pool.available == 0 and setattr(accumulator.pool, "available", 1000)
    )
    accumulator.open_batch(P0._replace(partition=7), Raw(1000, None, b"x" * 900), time.monotonic() + 5)
    assert [name for name, _ in told(trace)] == ["memory", "memory_wanted", "memory_given"]
    assert batch.reserved == 1000


def test_a_record_that_is_refused_says_why():
    trace = Trace()
    with Producer(bootstrap_servers="127.0.0.1:9", max_block_ms=10, trace=trace) as producer:
        future = producer.send("t", b"v")
    assert [event.data for event in trace.find("refused")] == [{"record": 0, "error": "MetadataTimeoutError"}]
    assert type(future.exception()).__name__ == "MetadataTimeoutError"


def test_nobody_hears_of_records_without_asking():
    trace = Trace(records=False)
    with Producer(bootstrap_servers="127.0.0.1:9", max_block_ms=10, trace=trace) as producer:
        producer.send("t", b"v")
    assert [event.name for event in trace.events] == ["memory"]
