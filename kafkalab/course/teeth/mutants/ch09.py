"""Chapter 09: what the recipes ask for, memory that comes back, and patience with a slow network."""

from __future__ import annotations

from collections import deque
from typing import Any

from kafkalab.course.teeth.mutants import shared
from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.connection import Connection
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.sender import Sender

# --- the recipes ----------------------------------------------------------------------------------


def _by_setting(**changed: Any) -> None:
    """Let settings be these, whatever was asked for."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{**settings, **changed})

    around(ProducerConfig, "__init__", init)


@mutant("the recipes", killer="4.6.2-another-copy")
def all_asks_the_leader_only() -> None:
    """acks=all asks for the leader's word only."""
    around(ProducerConfig, "required_acks", lambda original, self: abs(original(self)))


@mutant("the recipes", killer="4.6.2-before-0.11")
def one_asks_nobody() -> None:
    """acks=1 asks for no answer."""
    around(ProducerConfig, "required_acks", lambda original, self: {1: 0}.get(original(self), original(self)))


@mutant("the recipes", killer="4.6.2-each-setting")
def numbers_left_out() -> None:
    """An idempotent producer does not write its numbers into batches."""
    shared.leave_numbers_out()


@mutant("the recipes", killer="4.6.2-each-setting")
def retry_is_another_record() -> None:
    """A retry of an idempotent producer has a number of its own."""
    around(Idempotence, "returned", lambda original, self, batch, **_: original(self, batch, renumber=True))


@mutant("the recipes", killer="4.6.2-each-setting")
def retries_in_spite_of_zero() -> None:
    """A producer with retries=0 tries again all the same."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.attempts = 0
        original(self, batch, error)

    around(Sender, "_on_error", on_error)


@mutant("the recipes", killer="4.6.2-before-0.11")
def five_in_flight_whatever_is_set() -> None:
    """One in flight is not kept to."""
    _by_setting(max_in_flight_requests_per_connection=5)


@mutant("the recipes", killer="4.6.2-before-0.11")
def one_in_flight_whatever_is_set() -> None:
    """There is never more than one request in flight."""
    _by_setting(max_in_flight_requests_per_connection=1)


@mutant("the recipes", killer="4.6.2-before-0.11")
def refused_goes_to_the_end() -> None:
    """A refused batch goes to the end of its queue."""

    def insert(original: Any, self: Any, batch: Any) -> None:
        self._queues.setdefault(batch.target, deque()).append(batch)

    around(RecordAccumulator, "_insert", insert)


@mutant("the recipes", killer="4.6.2-before-0.11")
def lost_answers_are_successes() -> None:
    """A record whose answer was lost counts as acknowledged."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return (
            original(self, batch, error)
            if hasattr(error, "errno") and error.errno > 0
            else Verdict.ACKNOWLEDGE
        )

    around(Ordering, "judge", judge)


@mutant("the recipes", killer="4.6.2-another-copy")
def refusals_are_successes() -> None:
    """A record that the leader refuses for lack of replicas counts as acknowledged."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        refused = getattr(error, "errno", 0) == 19
        return Verdict.ACKNOWLEDGE if refused else original(self, batch, error)

    around(Ordering, "judge", judge)
    around(Idempotence, "judge", judge)


# --- memory ---------------------------------------------------------------------------------------


@mutant("memory", killer="4.6.2-memory-leaks")
def nothing_comes_back() -> None:
    """Memory is not given back."""
    around(BufferPool, "release", lambda original, self, size: None)


@mutant("memory", killer="4.6.2-memory-leaks")
def a_byte_is_forgotten() -> None:
    """Each batch keeps one byte."""
    around(BufferPool, "release", lambda original, self, size: original(self, size - 1))


@mutant("memory", killer="4.6.2-memory-leaks")
def given_back_twice() -> None:
    """Memory is given back once too often."""

    def finish(original: Any, self: Any, batch: Any, *tell: Any) -> None:
        original(self, batch, *tell)
        self.pool.release(batch.reserved)

    around(RecordAccumulator, "finish", finish)


@mutant("memory", killer="4.6.2-memory-leaks")
def failures_keep_theirs() -> None:
    """A batch that fails keeps its memory."""

    def fail(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.reserved = 0
        original(self, batch, error)

    around(Sender, "_fail", fail)


@mutant("memory", killer="4.6.2-memory-leaks")
def never_full() -> None:
    """There is always room for another batch."""

    def reserve(original: Any, self: Any, size: int, *_: Any, **__: Any) -> None:
        self.available -= size

    around(BufferPool, "reserve", reserve)


@mutant("memory", killer="4.6.2-memory-leaks")
def waiters_take_theirs_along() -> None:
    """Who waits for memory in vain takes it all the same."""

    def reserve(original: Any, self: Any, size: int, *more: Any, **options: Any) -> None:
        try:
            original(self, size, *more, **options)
        except Exception:
            self.available -= size
            raise

    around(BufferPool, "reserve", reserve)


# --- patience -------------------------------------------------------------------------------------


@mutant("patience", killer="4.6.2-slow-network")
def no_patience() -> None:
    """A record is given up after one second, whatever is set."""

    def expire(original: Any, self: Any, now: float) -> None:
        self._next_expiry = min(self._next_expiry, now)
        limit, self._config = self._config, _Hurried(self._config)
        original(self, now)
        self._config = limit

    around(Sender, "_expire", expire)


class _Hurried:
    """A configuration with a delivery timeout of one second."""

    delivery_timeout_ms = 1000

    def __init__(self, config: Any) -> None:
        self._config = config

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)


@mutant("patience", killer="4.6.2-slow-network")
def late_means_failed() -> None:
    """A request without an answer in time fails its records, though there is time left."""

    def send(original: Any, self: Any, request: Any, handler: Any, now: float, timeout: float) -> None:
        original(self, request, handler, now, min(timeout, 0.15))

    around(Connection, "send", send)
    around(Sender, "_retry", lambda original, self, batch, error, **_: self._fail(batch, error))


@mutant("patience", killer="4.6.2-slow-network")
def does_not_wait() -> None:
    """A record is acknowledged as soon as its request has left."""

    def send(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        original(self, node, batches, now)
        for batch in list(batches):
            self._acknowledge(batch, 0)

    around(Sender, "_send_produce", send)


@mutant("patience", killer="4.6.2-slow-network")
def expired_is_acknowledged() -> None:
    """A record whose time is over counts as acknowledged."""

    def expire(original: Any, self: Any, now: float) -> None:
        limit = self._config.delivery_timeout_ms / 1000
        for batch in [each for each in self._in_flight if each.created + limit <= now]:
            self._acknowledge(batch, None)
        original(self, now)

    around(Sender, "_expire", expire)


@mutant("patience", killer="4.6.2-slow-network")
def slow_lines_are_reset() -> None:
    """An answer that takes more than a tenth of a second costs the connection, and a number is not kept."""

    def send(original: Any, self: Any, request: Any, handler: Any, now: float, timeout: float) -> None:
        original(self, request, handler, now, min(timeout, 0.1))

    around(Connection, "send", send)
    around(Idempotence, "returned", lambda original, self, batch, **_: original(self, batch, renumber=True))
