"""A producer that is forgotten, forked, left open at the end of Python, or interrupted by Ctrl-C."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings

import pytest
from cluster_helpers import wait_until
from fake_broker import METADATA, PRODUCE, FakeBroker

from kafkalab.producer import Producer

posix = pytest.mark.skipif(os.name != "posix", reason="fork() and signals to a thread are POSIX")


@pytest.fixture
def broker():
    with FakeBroker() as made:
        yield made


class Gate:
    """Lets a broker's answers pass, or keeps them until it is opened."""

    def __init__(self, broker, api=PRODUCE):
        self.open = threading.Event()
        honest = {PRODUCE: broker.produce, METADATA: broker.metadata}[api]

        def answer(connection, request):
            self.open.wait(20)
            return honest(connection, request)

        broker.answer[api] = answer


def python(source, broker):
    """Run a script, whose `PRODUCER` makes a producer for the broker, to its end."""
    make = f"Producer(bootstrap_servers={broker.address!r}, client_id='script', linger_ms=20)"
    script = "from kafkalab.producer import *\n" + textwrap.dedent(source).replace("PRODUCER", make)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


# --- fork -----------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("transactional_id", [None, "t"])
def test_in_a_forked_child_each_verb_says_so_and_the_parent_goes_on(broker, transactional_id):
    done = python(
        f"""
        import os, sys
        producer = PRODUCER
        other = Producer(bootstrap_servers="127.0.0.1:1", transactional_id={transactional_id!r})
        before = producer.send("t", b"before")
        if not (child := os.fork()):
            verbs = [lambda: producer.send("t", b"x"), producer.flush, lambda: producer.partitions_for("t")]
            for verb in (*verbs, other.begin_transaction, other.commit_transaction):
                try:
                    verb()
                    print("nothing was wrong")
                except ProducerForkedError as error:
                    print(error)
            producer.close()
            with producer:
                pass
            print("closed")
            sys.stdout.flush()
            sys.exit()  # with all that Python does at its end
        assert os.waitpid(child, 0)[1] == 0
        print("parent", before.result(10).offset, producer.send("t", b"after").result(10).offset)
        producer.close()
        other.close(timeout=0)
        """,
        broker,
    )
    reason = "the process was forked after this producer was made: make one in the child"
    assert done.stdout.splitlines() == [*[f"ProducerForkedError: {reason}"] * 5, "closed", "parent 0 1"]
    assert (done.stderr, done.returncode) == ("", 0)
    assert sum(len(request.topic_data) for request in broker.produced) == 2


@posix
def test_a_child_ends_although_a_thread_of_the_parent_had_the_accumulators_lock(broker):
    done = python(
        """
        import os, sys, threading
        producer = PRODUCER
        producer.send("t", b"x").result(10)
        held, go_on = threading.Event(), threading.Event()

        def hold():
            with producer.accumulator._lock:
                held.set()
                go_on.wait(20)

        threading.Thread(target=hold).start()
        held.wait(20)
        if not (child := os.fork()):
            del producer
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
        go_on.set()
        producer.close()
        """,
        broker,
    )
    assert (done.stderr, done.returncode) == ("", 0)


@posix
def test_a_child_may_have_a_producer_of_its_own(broker):
    done = python(
        """
        import os, sys
        parents = PRODUCER
        parents.send("t", b"x").result(10)
        if not (child := os.fork()):
            with PRODUCER as own:
                print("child", own.send("t", b"x").result(10).offset, flush=True)
            sys.exit()
        os.waitpid(child, 0)
        with parents:
            print("parent", parents.send("t", b"x").result(10).offset)
        """,
        broker,
    )
    assert (done.stdout, done.stderr) == ("child 1\nparent 2\n", "")


# --- never closed ---------------------------------------------------------------------------------


def test_a_forgotten_producer_warns_and_its_thread_delivers_and_ends(broker):
    gate = Gate(broker)
    producer = Producer(bootstrap_servers=broker.address, client_id="mine", linger_ms=0)
    futures, thread = [producer.send("t", b"x") for _ in range(3)], producer._thread
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del producer
        gc.collect()
    (message,) = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
    assert message.startswith("producer 'mine' was never closed: 3 records have no outcome yet; call close()")
    assert not any(future.done() for future in futures)
    gate.open.set()
    assert [future.result(10).offset for future in futures] == [0, 1, 2]
    thread.join(5)
    assert not thread.is_alive()
    wait_until(lambda: broker.connected() == 0)


@pytest.mark.parametrize("closed", [True, False])
def test_no_warning_without_reason(broker, closed):
    producer = Producer(bootstrap_servers=broker.address, linger_ms=0)
    producer.send("t", b"x").result(10)
    thread = producer._thread
    if closed:
        producer.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del producer
        gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_the_collector_may_come_while_its_own_thread_has_the_lock(broker):
    """The I/O thread allocates under the lock, so a collection may begin there and find the producer."""
    gate = Gate(broker)
    producer = Producer(bootstrap_servers=broker.address, linger_ms=0)
    future, accumulator = producer.send("t", b"x"), producer.accumulator
    producer.itself = producer  # only the collector can find it
    counted = []

    def collect():
        with accumulator._lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
            counted.extend(str(warning.message) for warning in caught)

    del producer
    collecting = threading.Thread(target=collect, daemon=True)
    collecting.start()
    collecting.join(5)
    assert not collecting.is_alive()
    assert any("1 records" in message for message in counted)
    gate.open.set()
    assert future.result(10).offset == 0


def test_the_end_of_python_warns_of_what_was_not_sent(broker):
    broker.answer[PRODUCE] = lambda *_: None
    done = python('producer = PRODUCER\nfor _ in range(7):\n    producer.send("t", b"x")', broker)
    assert done.returncode == 0
    assert "RuntimeWarning: producer 'script' was never closed: 7 records have no outcome yet" in done.stderr


@pytest.mark.parametrize("end", ["producer.flush()", "producer.close()", "raise SystemExit"])
def test_the_end_of_python_is_quiet_if_nothing_is_left(broker, end):
    sending = 'with PRODUCER as producer:\n    producer.send("t", b"x")\n    '
    if end == "producer.flush()":
        sending = 'producer = PRODUCER\nproducer.send("t", b"x")\n'
    done = python(sending + end, broker)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(broker.produced) == 1


# --- Ctrl-C ---------------------------------------------------------------------------------------


def interrupt_when(condition):
    """Press Ctrl-C once the main thread has come this far."""

    def press():
        wait_until(condition)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


@posix
@pytest.mark.parametrize("verb", ["flush", "result", "close"])
def test_ctrl_c_while_waiting_for_an_answer_leaves_the_producer_usable(broker, verb):
    gate = Gate(broker)
    producer = Producer(bootstrap_servers=broker.address, linger_ms=0)
    futures = [producer.send("t", b"x") for _ in range(3)]
    wait_until(lambda: broker.produced)
    delivery = futures[0]._delivery
    if verb == "close":
        interrupt_when(lambda: producer.sender._closing)
    else:
        interrupt_when(lambda: delivery._event is not None)
    with pytest.raises(KeyboardInterrupt):
        futures[0].result() if verb == "result" else getattr(producer, verb)()
    assert not futures[0].done()
    gate.open.set()
    if verb == "close":
        producer.close()
    else:
        futures.append(producer.send("t", b"after"))
        assert producer.accumulator._flushing == 0
        producer.flush()
    assert [future.result(0).offset for future in futures] == list(range(len(futures)))
    producer.close()


@posix
def test_ctrl_c_while_waiting_for_memory_takes_none(broker):
    gate = Gate(broker)
    with Producer(
        bootstrap_servers=broker.address, linger_ms=0, batch_size=1000, buffer_memory=1000
    ) as producer:
        first = producer.send("t", b"x")
        wait_until(lambda: broker.produced)
        pool = producer.accumulator.pool
        interrupt_when(lambda: pool.waiting == 1)
        with pytest.raises(KeyboardInterrupt):
            producer.send("t", b"x" * 900)
        assert (pool.waiting, pool.available) == (0, 0)
        gate.open.set()
        assert first.result(10).offset == 0
        assert pool.available == 1000
        assert producer.send("t", b"y").result(10).offset == 1


@posix
def test_ctrl_c_while_waiting_for_metadata_leaves_nothing_behind(broker):
    gate = Gate(broker, METADATA)
    with Producer(bootstrap_servers=broker.address, linger_ms=0) as producer:
        interrupt_when(lambda: "t" in producer.metadata._used)
        with pytest.raises(KeyboardInterrupt):
            producer.send("t", b"x")
        gate.open.set()
        assert producer.send("t", b"y").result(10).offset == 0


# --- event loops ----------------------------------------------------------------------------------


def test_futures_are_awaited_in_a_running_loop_one_by_one_and_together(broker):
    async def main(producer):
        first = await producer.send("t", b"x")
        more = await asyncio.gather(*(producer.send("t", b"x") for _ in range(20)))
        last = await asyncio.wait_for(producer.send("t", b"x"), 10)
        return [told.offset for told in (first, *more, last)]

    with Producer(bootstrap_servers=broker.address, linger_ms=0) as producer:
        assert asyncio.run(main(producer)) == list(range(22))


def test_the_loop_goes_on_while_a_result_is_awaited(broker):
    gate, ticks = Gate(broker), []

    async def tick():
        while not gate.open.is_set():
            ticks.append(1)
            if len(ticks) == 5:
                gate.open.set()
            await asyncio.sleep(0)

    async def main(producer):
        told, _ = await asyncio.gather(producer.send("t", b"x"), tick())
        return told.offset

    with Producer(bootstrap_servers=broker.address, linger_ms=0) as producer:
        assert asyncio.run(main(producer)) == 0
    assert len(ticks) == 5


def test_an_error_is_raised_where_it_is_awaited():
    async def main(producer):
        await producer.send("t", b"x" * 2000)

    with (
        FakeBroker() as broker,
        Producer(bootstrap_servers=broker.address, max_request_size=1000) as producer,
        pytest.raises(ValueError, match="exceed max_request_size=1000"),
    ):
        asyncio.run(main(producer))


def test_whoever_stopped_awaiting_and_closed_the_loop_hears_nothing_more(broker, caplog):
    gate = Gate(broker)

    async def main(producer, sent):
        sent.append(producer.send("t", b"x"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sent[0], 0.05)

    sent = []
    with Producer(bootstrap_servers=broker.address, linger_ms=0) as producer:
        asyncio.run(main(producer, sent))
        gate.open.set()
        assert sent[0].result(10).offset == 0
    assert caplog.text == ""
