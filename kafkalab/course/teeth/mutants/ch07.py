"""Chapter 07: one try, tries until an answer comes, the end of trying, and what numbers and markers add."""

from __future__ import annotations

import copy
from typing import Any

from kafka import errors as kafka_errors

from kafkalab.course.teeth.mutants import shared
from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import config
from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.futures import Delivery
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.produce import produce_request
from kafkalab.producer.producer import Producer
from kafkalab.producer.sender import Sender


def _when_lost(verdict: Verdict, words: str = "") -> None:
    """Judge every lost connection alike; `words` that its error must contain."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        lost = isinstance(error, kafka_errors.KafkaConnectionError) and words in str(error)
        return verdict if lost else original(self, batch, error)

    around(Ordering, "judge", judge)


# --- one try --------------------------------------------------------------------------------------


@mutant("one try", killer="4.4.2-at-most-once")
def one_more_try() -> None:
    """With retries=0 there is a second try."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.attempts -= 1
        original(self, batch, error)
        batch.attempts += 1

    around(Sender, "_on_error", on_error)


@mutant("one try", killer="4.4.2-at-most-once")
def lost_is_success() -> None:
    """A connection that breaks is taken for an acknowledgement."""
    _when_lost(Verdict.ACKNOWLEDGE)


@mutant("one try", killer="4.4.2-at-most-once")
def sent_twice() -> None:
    """Every record is sent twice."""

    def send(original: Any, self: Any, *args: Any, **options: Any) -> Any:
        original(self, *args, **options)
        return original(self, *args, **options)

    around(Producer, "send", send)


@mutant("one try", killer="4.4.2-at-most-once")
def never_recovers() -> None:
    """After one failure every later record fails, too."""
    failed: set[int] = set()

    def fail(original: Any, self: Any, batch: Any, error: Any) -> None:
        failed.add(id(self))
        original(self, batch, error)

    def produce(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        if id(self) not in failed:
            original(self, node, batches, now)
            return
        for batch in batches:
            self._fail(batch, kafka_errors.KafkaConnectionError("failed before"))

    around(Sender, "_fail", fail)
    around(Sender, "_send_produce", produce)


@mutant("one try", killer="4.4.2-same-error")
def errors_forgotten() -> None:
    """Futures of failed records tell of success."""
    around(Delivery, "fail", lambda original, self, error: self.acknowledge(None))


@mutant("one try", killer="4.4.2-same-error")
def silence_is_success() -> None:
    """An answer that does not come in time is taken for a good one."""
    _when_lost(Verdict.ACKNOWLEDGE, "no answer within")


# --- tries until an answer comes ------------------------------------------------------------------


@mutant("many tries", killer="4.4.1-at-least-once")
def lost_is_final() -> None:
    """A broken connection is no reason to try again."""
    _when_lost(Verdict.FAIL)


@mutant("many tries", killer="4.4.1-at-least-once")
def acknowledged_early() -> None:
    """A record that has to be tried again is acknowledged instead."""
    around(Sender, "_retry", lambda original, self, batch, error, **how: self._acknowledge(batch, None))


@mutant("many tries", killer="4.4.1-at-least-once")
def no_retries_by_default() -> None:
    """The default of retries is 0."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{"retries": 0, **settings})

    around(ProducerConfig, "__init__", init)


@mutant("many tries", killer="4.4.1-at-least-once")
def idempotent_anyway() -> None:
    """The setting enable_idempotence=False is ignored."""
    around(config, "idempotent", lambda original, given: given.required_acks == -1 and given.retries > 0)


@mutant("many tries", killer="4.4.1-at-least-once")
def retried_twice() -> None:
    """A retry puts two requests on their way."""

    def produce(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        original(self, node, batches, now)
        if again := [batch for batch in batches if batch.attempts > 1]:
            request = produce_request(again, self._config, None, self._ordering.produce_max_version)
            self._client.send(node, request, lambda *_: None, now, self._request_timeout)

    around(Sender, "_send_produce", produce)


# --- the end of trying ----------------------------------------------------------------------------


@mutant("the end of trying", killer="4.4.1-retries-bound")
def three_tries() -> None:
    """The producer gives up after three tries."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return Verdict.FAIL if batch.attempts >= 3 else original(self, batch, error)

    around(Ordering, "judge", judge)


@mutant("the end of trying", killer="4.4.1-retries-bound")
def ten_retries_by_default() -> None:
    """The default of retries is 10."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        original(self, **{"retries": 10, **settings})

    around(ProducerConfig, "__init__", init)


@mutant("the end of trying", killer="4.4.1-retries-bound")
def half_the_time() -> None:
    """The time to deliver is over at half of delivery_timeout_ms."""

    def init(original: Any, self: Any, given: Any, *parts: Any) -> None:
        hurried = copy.copy(given)
        object.__setattr__(hurried, "delivery_timeout_ms", given.delivery_timeout_ms / 2)
        original(self, hurried, *parts)

    around(Sender, "__init__", init)


@mutant("the end of trying", killer="4.4.1-retries-bound")
def last_error_told() -> None:
    """When time is over, the last refusal is told instead."""

    def timed_out(original: Any, self: Any, timeout_ms: float) -> Any:
        return self.last_error or original(self, timeout_ms)

    around(ProducerBatch, "timed_out", timed_out)


@mutant("the end of trying", killer="4.4.1-retries-bound")
def a_second_between_tries() -> None:
    """A producer waits a whole second before it tries again."""
    around(ExponentialBackoff, "seconds", lambda original, self, failures: 1.0)


@mutant("the end of trying", killer="4.4.1-retries-bound")
def for_ever() -> None:
    """The setting delivery_timeout_ms is ignored."""
    around(Sender, "_expire", lambda original, self, now: setattr(self, "_next_expiry", now + 1))


# --- numbers and markers --------------------------------------------------------------------------


@mutant("numbers and markers", killer="4.4.3-exactly-once")
def retry_renumbered() -> None:
    """A retry gets a number of its own."""

    def returned(original: Any, self: Any, batch: Any, *, renumber: bool) -> None:
        original(self, batch, renumber=True)

    around(Idempotence, "returned", returned)


@mutant("numbers and markers", killer="4.4.3-exactly-once")
def not_numbered() -> None:
    """An idempotent producer numbers nothing."""

    def init(original: Any, self: Any, **options: Any) -> None:
        plain = {} if "transactional_id" in options else {"ordering": lambda *_: Ordering()}
        original(self, **options, **plain)

    around(Producer, "__init__", init)


@mutant("numbers and markers", killer="4.4.3-exactly-once")
def always_the_same_number() -> None:
    """Every batch has the same number."""

    def leaves(original: Any, self: Any, batch: Any) -> None:
        original(self, batch)
        self._line(batch).next_sequence = 0

    around(Idempotence, "leaves", leaves)


@mutant("numbers and markers", killer="4.4.3-exactly-once")
def abort_commits() -> None:
    """What is aborted is committed."""
    shared.end_every_transaction(committed=True)


@mutant("numbers and markers", killer="4.4.3-exactly-once")
def commit_aborts() -> None:
    """What is committed is aborted."""
    shared.end_every_transaction(committed=False)
