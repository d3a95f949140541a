"""metrics() counts what was sent, no more and no less."""

import pytest
from fake_broker import PRODUCE, FakeBroker

from kafkalab.producer import Producer


@pytest.fixture
def broker():
    with FakeBroker(partitions=2) as made:
        yield made


def refuse(broker, code, times):
    """Let the broker answer its first `times` requests with this error."""

    def answer(connection, request):
        nonlocal times
        times -= 1
        response = broker.produce(connection, request)
        if times < 0:
            return response
        for each in response.responses[0].partition_responses:
            each.error_code, each.base_offset = code, -1
        return response

    broker.answer[PRODUCE] = answer


def test_counts_are_those_of_what_the_broker_got(broker):
    with Producer(bootstrap_servers=broker.address, linger_ms=20, batch_size=1000) as producer:
        for number in range(100):
            producer.send("t", b"x" * (number % 40), partition=number % 2)
        producer.flush()
        told = producer.metrics()
    batches = [
        partition.records
        for request in broker.produced
        for topic in request.topic_data
        for partition in topic.partition_data
    ]
    assert told["record_send_total"] == sum(int.from_bytes(each[57:61], "big") for each in batches) == 100
    assert told["request_total"] == len(broker.produced)
    assert told["batch_total"] == len(batches)
    assert told["byte_total"] == sum(map(len, batches))
    assert told["batch_size_avg"] == pytest.approx(told["byte_total"] / told["batch_total"])
    assert told["records_per_batch_avg"] == pytest.approx(100 / len(batches))
    assert told["record_retry_total"] == told["record_error_total"] == told["batch_split_total"] == 0
    assert told["buffer_available_bytes"] == told["buffer_total_bytes"] == producer.config.buffer_memory
    assert told["waiting_threads"] == 0


def test_retries_and_errors_are_counted_in_records(broker):
    refuse(broker, 19, times=2)
    with Producer(
        bootstrap_servers=broker.address, linger_ms=50, retry_backoff_ms=1, retry_backoff_max_ms=1
    ) as producer:
        for _ in range(5):
            producer.send("t", b"x", partition=0)
        producer.flush()
        told = producer.metrics()
        assert (told["record_retry_total"], told["record_error_total"]) == (10, 0)
        assert told["record_send_total"] == 15  # each time they went out, as Java counts
        refuse(broker, 87, times=1)
        for _ in range(3):
            producer.send("t", b"x", partition=0)
        producer.flush()
        assert producer.metrics()["record_error_total"] == 3


def test_memory_in_use_is_seen(broker):
    with Producer(bootstrap_servers=broker.address, linger_ms=10_000, batch_size=1000) as producer:
        producer.send("t", b"x")
        told = producer.metrics()
        assert told["buffer_total_bytes"] - told["buffer_available_bytes"] == 1000
