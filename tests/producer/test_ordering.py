"""What goes out when: one at a time, and what becomes of batches for which no producer id can be had."""

import time

import pytest
from kafka import errors as kafka_errors
from kafka.protocol.producer import InitProducerIdResponse
from test_sender import Bench

from kafkalab.producer import DeliveryTimeoutError, Producer, ProducerConfig
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.ordering import OneAtATime, Ordering
from kafkalab.producer.producer import ordering_of


def one_at_a_time(**settings):
    return Bench(max_in_flight_requests_per_connection=1, **settings)


def sent(bench):
    return [request.topic_data[0].partition_data[0].records[-2:-1] for _, request, _ in bench.network.sent]


def lose(bench):
    """Answer the oldest request with a lost connection."""
    bench.network.sent.pop(0)[2](None, kafka_errors.KafkaConnectionError("lost"))


# --- one at a time --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, Idempotence),
        ({"max_in_flight_requests_per_connection": 1}, Idempotence),
        ({"enable_idempotence": False}, Ordering),
        ({"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}, OneAtATime),
    ],
)
def test_who_keeps_order(settings, kind):
    assert type(ordering_of(ProducerConfig(**settings))) is kind


def test_a_partition_waits_for_its_batch_in_flight_and_its_neighbours_do_not():
    bench = one_at_a_time()
    for partition, value in [(0, b"a"), (0, b"b"), (1, b"c")]:
        bench.put(partition, value)
    bench.turn()
    bench.turn()
    assert sorted(sent(bench)) == [b"a", b"c"]
    bench.answer(0)
    bench.turn()
    assert sorted(sent(bench)) == [b"b", b"c"]


def test_a_retry_frees_the_partition_for_nobody_but_itself():
    bench = one_at_a_time()
    for value in (b"a", b"b"):
        bench.put(0, value)
    bench.turn()
    bench.answer(19)
    bench.turn(0.01)
    assert sent(bench) == []  # not even b, while a is in its back-off
    bench.turn(0.2)
    assert sent(bench) == [b"a"]
    bench.answer(0)
    bench.turn()
    assert sent(bench) == [b"b"]


def test_without_that_rule_the_next_batch_overtakes_a_retry():
    bench = Bench()
    for value in (b"a", b"b"):
        bench.put(0, value)
    bench.turn()
    assert sent(bench) == [b"a", b"b"]  # the second is on its way before the first is refused


@pytest.mark.parametrize("end", ["refused", "timed out"])
def test_a_batch_that_failed_frees_its_partition(end):
    bench = one_at_a_time(delivery_timeout_ms=1000, request_timeout_ms=900)
    first = bench.put(0, b"a")
    bench.turn()
    if end == "refused":
        bench.answer(87)
    else:
        bench.turn(1.1)
        bench.network.sent.clear()
    assert first.exception(0) is not None
    bench.now = bench.now if end == "refused" else time.monotonic()
    bench.sender._next_expiry = 0.0
    bench.put(0, b"b")
    bench.turn()
    assert sent(bench) == [b"b"]


# --- steps of one's own ---------------------------------------------------------------------------


def test_a_producer_takes_another_ordering():
    class Mine(Ordering):
        pass

    with Producer(ordering=lambda config, trace: Mine()) as producer:
        assert type(producer.ordering) is Mine
        assert producer.accumulator.admits == producer.ordering.admits


def test_an_accumulator_takes_another_back_off():
    class Slow:
        def seconds(self, failures):
            return failures * 10.0

    bench = Bench()
    bench.accumulator.backoff = Slow()
    bench.put(0, b"a")
    bench.turn()
    bench.answer(19)
    bench.turn(5)
    assert sent(bench) == []
    bench.turn(10)
    assert sent(bench) == [b"a"]


# --- no producer id -------------------------------------------------------------------------------


def idempotent(**settings):
    bench = Bench(enable_idempotence=True, **settings)
    bench.turn(0.0)
    return bench


def answer_id(bench, code, producer_id=7):
    _, request, handler = bench.network.sent.pop(0)
    assert request.API_KEY == 22
    handler(InitProducerIdResponse(error_code=code, producer_id=producer_id, producer_epoch=0), None)


@pytest.mark.parametrize("code", [31, 35, 53, 58], ids=lambda code: kafka_errors.for_code(code).__name__)
def test_without_a_producer_id_everything_fails_with_the_reason_at_once(code):
    bench = idempotent(linger_ms=5000)
    queued = [bench.put(partition) for partition in (0, 1, 2)]
    bench.turn()
    answer_id(bench, code)
    bench.turn()
    later = bench.put(0)
    bench.turn()
    for future in (*queued, later):
        assert isinstance(future.exception(0), kafka_errors.for_code(code))
    assert bench.network.sent == []  # it is not asked for again
    assert bench.accumulator.pool.available == bench.accumulator.pool.total


@pytest.mark.parametrize("trouble", [14, 15, 41, "lost"])
def test_a_producer_id_is_asked_for_again_with_a_growing_back_off(trouble):
    bench = idempotent(retry_backoff_ms=100, retry_backoff_max_ms=1000)
    bench.put(0, b"a")
    waits = []
    for _ in range(6):
        lose(bench) if trouble == "lost" else answer_id(bench, trouble)
        bench.now = time.monotonic()
        waits.append(bench.ordering._not_before - bench.now)
        bench.turn(waits[-1] - 0.02)
        assert not any(request.API_KEY == 22 for _, request, _ in bench.network.sent)
        assert bench.network.slept[-1] <= 0.021
        bench.network.sent.clear()
        bench.sender._asking = False
        bench.turn(0.03)
        bench.network.sent = [each for each in bench.network.sent if each[1].API_KEY == 22]
    expected = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]  # give or take a fifth
    assert all(0.75 * e < wait < 1.21 * e for e, wait in zip(expected, waits, strict=True)), waits
    answer_id(bench, 0)
    bench.turn()
    assert sent(bench) == [b"a"]


def test_one_request_for_a_producer_id_is_out_at_a_time():
    bench = idempotent()
    for _ in range(5):
        bench.put(0)
        bench.turn()
    assert [request.API_KEY for _, request, _ in bench.network.sent] == [22]


def test_if_no_producer_id_comes_delivery_timeout_ends_the_wait():
    bench = idempotent(delivery_timeout_ms=1000, request_timeout_ms=900)
    future = bench.put(0)
    bench.turn(0.9)
    assert not future.done()
    bench.turn(0.2)
    assert isinstance(future.exception(0), DeliveryTimeoutError)
