"""One budget, fairly shared."""

import threading
import time

import pytest

from kafkalab.producer import BufferExhaustedError, ProducerClosedError, RecordTooLargeError
from kafkalab.producer.buffer_pool import BufferPool


def soon(seconds=5.0):
    return time.monotonic() + seconds


def waiting(pool, count):
    end = soon()
    while pool.waiting < count:
        assert time.monotonic() < end
        threading.Event().wait(0.001)


def in_thread(function):
    outcome = []

    def run():
        try:
            outcome.append(function())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_what_is_released_can_be_reserved_again():
    pool = BufferPool(100)
    for _ in range(1000):
        pool.reserve(100, soon())
        assert pool.available == 0
        pool.release(100)
    assert pool.available == 100


def test_more_than_all_is_refused_at_once():
    with pytest.raises(RecordTooLargeError, match="101 bytes are more than buffer_memory=100"):
        BufferPool(100).reserve(101, soon())


@pytest.mark.alone
def test_it_gives_up_at_the_deadline_and_takes_nothing():
    pool = BufferPool(100)
    pool.reserve(90, soon())
    started = time.monotonic()
    with pytest.raises(BufferExhaustedError, match=r"no 20 bytes of buffer_memory=100 .* \(10 available\)"):
        pool.reserve(20, soon(0.1))
    assert 0.1 <= time.monotonic() - started < 1
    assert (pool.available, pool.waiting) == (10, 0)


def test_first_come_first_served_even_if_the_second_would_fit():
    pool = BufferPool(100)
    pool.reserve(80, soon())
    order = []
    large, _ = in_thread(lambda: (pool.reserve(50, soon()), order.append("large")))
    waiting(pool, 1)
    small, _ = in_thread(lambda: (pool.reserve(10, soon()), order.append("small")))
    waiting(pool, 2)
    pool.release(30)  # 50 are free now: just enough for the large one
    large.join(5)
    assert order == ["large"]
    pool.release(50)
    small.join(5)
    assert order == ["large", "small"]


def test_a_waiter_that_gave_up_lets_the_next_one_through():
    pool = BufferPool(100)
    pool.reserve(80, soon())
    impatient, gave_up = in_thread(lambda: pool.reserve(50, soon(0.2)))
    waiting(pool, 1)
    patient, served = in_thread(lambda: pool.reserve(10, soon()))
    impatient.join(5)
    patient.join(5)
    assert isinstance(gave_up[0], BufferExhaustedError)
    assert served == [None]
    assert pool.available == 10


def test_whoever_waits_is_announced_and_sent_away_when_closed():
    pool, told = BufferPool(10), threading.Event()
    pool.reserve(10, soon())
    thread, outcome = in_thread(lambda: pool.reserve(1, soon(), on_wait=told.set))
    assert told.wait(5)
    pool.close()
    thread.join(5)
    assert isinstance(outcome[0], ProducerClosedError)
