"""Each outcome exactly once, to whoever asks."""

import asyncio
import threading

import pytest

from kafkalab.producer import RecordMetadata, TopicPartition
from kafkalab.producer.futures import Delivery, DeliveryFuture, failed


def make(count=3):
    delivery = Delivery(TopicPartition("t", 1))
    return delivery, [DeliveryFuture(delivery, index, 1000 + index) for index in range(count)]


def test_a_record_finds_its_own_offset_and_timestamp():
    delivery, futures = make()
    assert not futures[0].done()
    assert repr(futures[0]) == "<DeliveryFuture pending>"
    delivery.acknowledge(40)
    assert [future.result(0) for future in futures] == [
        RecordMetadata("t", 1, 40 + i, 1000 + i) for i in range(3)
    ]


def test_the_brokers_time_wins_when_it_is_given():
    delivery, futures = make()
    delivery.acknowledge(0, log_append_time_ms=77)
    assert futures[2].result(0).timestamp_ms == 77


def test_without_an_answer_the_offset_is_unknown_not_zero():
    delivery, futures = make()
    delivery.acknowledge(None)
    assert futures[1].result(0).offset is None


def test_an_outcome_never_changes():
    delivery, futures = make()
    assert delivery.fail(OSError("first"))
    assert not delivery.fail(ValueError("second"))
    assert not delivery.acknowledge(5)
    with pytest.raises(OSError, match="first"):
        futures[0].result(0)
    assert delivery.base_offset is None


def test_waiting_has_an_end():
    _, futures = make()
    with pytest.raises(TimeoutError, match=r"not known after 0.01 s"):
        futures[0].result(0.01)


def test_callbacks_come_in_order_before_waiters_and_late_ones_at_once(caplog):
    delivery, futures = make()
    seen = []
    for future in futures:
        future.add_done_callback(lambda done: seen.append(done.result(0).offset))
    futures[0].add_done_callback(lambda _: 1 / 0)
    waiter = threading.Thread(target=lambda: (futures[2].result(5), seen.append("waiter")))
    waiter.start()
    while delivery._event is None:
        pass
    delivery.acknowledge(7)
    waiter.join(5)
    assert seen == [7, 8, 9, "waiter"]
    futures[1].add_done_callback(lambda done: seen.append("late"))
    assert seen[-1] == "late"
    assert "a delivery callback failed" in caplog.text


def test_it_can_be_awaited_settled_or_not():
    delivery, futures = make()

    async def wait():
        early = asyncio.ensure_future(_result(futures[0]))
        await asyncio.sleep(0)
        threading.Thread(target=delivery.acknowledge, args=(3,)).start()
        return await early, await futures[1]

    early, late = asyncio.run(wait())
    assert (early.offset, late.offset) == (3, 4)


def test_an_awaiting_task_can_be_cancelled():
    delivery, futures = make()

    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_result(futures[0]), 0.01)
        delivery.acknowledge(3)
        await asyncio.sleep(0.01)

    asyncio.run(give_up())


async def _result(future):
    return await future


def test_a_record_that_never_got_into_a_batch():
    future = failed("t", None, ValueError("no"))
    assert future.done()
    assert isinstance(future.exception(), ValueError)
