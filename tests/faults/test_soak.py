"""A short soak on real brokers, its control, and a verdict that sees every kind of damage."""

import itertools
import socket
import threading

import pytest
from rich.console import Console

from kafkalab.cluster import Cluster, LogRecord
from kafkalab.faults.soak import run as soak
from kafkalab.faults.soak.book import Book
from kafkalab.faults.soak.footprint import MB, Holdings, Sample, Trend
from kafkalab.faults.soak.havoc import Havoc
from kafkalab.faults.soak.load import Kind
from kafkalab.faults.soak.verdict import Result, account

QUIET = Console(quiet=True)
PLAIN = Kind("plain", threads=2)
TRANSACTIONAL = Kind("tx", settings={"transactional_id": "t"})


class Told:
    """A future with an outcome."""

    def __init__(self, offset, error=None):
        self.partition, self.offset, self.error = 0, offset, error

    def exception(self, timeout):
        return self.error

    def result(self, timeout):
        return self


@pytest.fixture(scope="module")
def own_cluster():
    with Cluster.start(brokers=3, console=QUIET) as cluster:
        yield cluster


@pytest.mark.slow
@pytest.mark.cluster
def test_twenty_seconds_do_no_damage(own_cluster):
    result = soak.run(own_cluster, minutes=20 / 60, seed=4, console=QUIET)
    assert result.damage == []
    assert len(result.faults) >= 2
    assert len(result.samples) > 5


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("idempotent", [False, True])
def test_without_idempotence_the_same_faults_do_damage(own_cluster, idempotent):
    """A frozen follower makes the leader say REQUEST_TIMED_OUT of what it has written."""
    settings = {"enable_idempotence": idempotent, "request_timeout_ms": 1_000}
    seed = next(seed for seed in itertools.count() if is_long_freeze(own_cluster, seed))
    result = soak.run(own_cluster, 0.05, seed, kinds=(PLAIN,), settings=settings, console=QUIET)
    assert bool(result.accounts[0].audit.duplicated) is not idempotent
    assert bool(result.damage) is not idempotent


def is_long_freeze(cluster, seed):
    fault = Havoc(cluster, seed).draw()
    return fault.action == "freeze" and fault.node in cluster.broker_ids and fault.seconds > 3


@pytest.mark.slow
@pytest.mark.cluster
def test_ctrl_c_leaves_no_thread_and_no_socket(own_cluster, monkeypatch):
    def interrupted(havoc, fault):
        raise KeyboardInterrupt

    before = Holdings.now()
    monkeypatch.setattr(Havoc, "inflict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        soak.run(own_cluster, kinds=(PLAIN, TRANSACTIONAL), console=QUIET)
    assert Holdings.now().more_than(before) == []


def test_faults_follow_from_the_seed():
    class Three:
        broker_ids, controller_ids = [1, 2, 3], [100]

    def drawn(seed):
        havoc = Havoc(Three(), seed)
        return [havoc.draw() for _ in range(60)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {fault.node for fault in drawn(1)} == {1, 2, 3, 100}
    assert {fault.action for fault in drawn(1)} == {"kill", "freeze", "restart"}


# --- the verdict ----------------------------------------------------------------------------------


def book_of(*outcomes):
    """A book whose records were told `outcomes`: offsets, errors or None for nothing."""
    book = Book("b", 20)
    for outcome in outcomes:
        number = book.open()
        if outcome is not None:
            is_error = isinstance(outcome, Exception)
            book.told(number, Told(None if is_error else outcome, outcome if is_error else None))
    return book


def log_of(book, *numbers):
    """The records called `numbers`, in this order in the log."""
    return [
        LogRecord(0, offset, None, book.value(number), [], 0, -1, -1, -1)
        for offset, number in enumerate(numbers)
    ]


def damage(book, *numbers, kind=PLAIN):
    return [text.partition(": ")[2] for text in account(kind, [book], log_of(book, *numbers)).damage]


def test_what_is_where_it_should_be_is_no_damage():
    assert damage(book_of(0, 1, 2), 0, 1, 2) == []


@pytest.mark.parametrize(
    ("told", "log", "expected"),
    [
        ((0, 1, 2), (0, 1), "1 lost"),
        ((0, 1, 3), (0, 1, 1, 2), "1 duplicated"),
        ((0, 2, 1), (0, 2, 1), "1 out of order"),
        ((0, 1, None), (0, 1), "1 never told"),
        ((0, 1, OSError()), (0, 1), "1 failed without a reason"),
        ((0, 1, 7), (0, 1, 2), "1 told a wrong place"),
    ],
)
def test_each_kind_of_damage_is_named(told, log, expected):
    assert expected in damage(book_of(*told), *log)


def test_an_outcome_told_twice_is_damage():
    book = book_of(0, 1)
    book.told(1, Told(1))
    assert damage(book, 0, 1) == ["1 told twice"]


def test_where_little_is_acknowledged_nothing_is_shown():
    book = book_of(*[OSError()] * 9, 0)
    assert damage(book, 9, kind=Kind("hasty", may_fail=True)) == [
        "only 1 of 10 acknowledged or aborted: no proof"
    ]


def test_transactions_are_seen_whole_or_not_at_all():
    book = book_of(0, 1, 2, 3, None, None)
    book.settle(range(2, 4), "aborted")
    book.settle(range(4, 6), "unknown")
    assert damage(book, 0, 1, kind=TRANSACTIONAL) == []
    assert damage(book, 0, 1, 4, 5, kind=TRANSACTIONAL) == []
    assert damage(book, 0, 1, 4, kind=TRANSACTIONAL) == ["1 transactions torn"]
    assert damage(book, 0, 1, 3, kind=TRANSACTIONAL) == ["1 aborted but visible"]


def samples(mb_per_minute, minutes=10):
    return tuple(Sample(2.0 * n, int(60 * MB + mb_per_minute * MB * n / 30)) for n in range(30 * minutes))


def test_memory_may_not_grow():
    assert Trend.of(list(samples(3))).mb_per_minute == pytest.approx(3)
    assert Result((), (), samples(0.5), (), ()).damage == []
    assert "memory grew by 3.00 MB a minute" in Result((), (), samples(3), (), ()).damage[0]


def test_what_is_left_is_named():
    before, end = Holdings.now(), threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = Holdings.now().more_than(before)
        port = str(server.getsockname()[1])
    end.set()
    thread.join()
    assert len(left) == 2
    assert left[0].startswith("forgotten")
    assert port in left[1]
    assert Holdings.now().more_than(before) == []
