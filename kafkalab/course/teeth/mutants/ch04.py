"""Chapter 04: which errors are retried, the timeouts, the back-off, and how often."""

from __future__ import annotations

import random
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.connection import Connection
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.sender import Sender


def _backoff(change: Any) -> None:
    """Let `change(self, failures)` say how long to wait, in seconds."""
    around(ExponentialBackoff, "seconds", lambda original, self, failures: change(self, failures))


# --- which errors ---------------------------------------------------------------------------------


@mutant("retries", killer="4.3.2-every-error")
def everything_is_retried() -> None:
    """Every error is retried, even one that will stay."""
    around(Ordering, "judge", lambda original, self, batch, error: Verdict.RETRY)


@mutant("retries", killer="4.3.2-every-error")
def nothing_is_retried() -> None:
    """No error is retried."""
    around(Ordering, "judge", lambda original, self, batch, error: Verdict.FAIL)


@mutant("retries", killer="4.3.2-every-error")
def old_leader_asked_again() -> None:
    """A leader that moved is asked again; nobody looks at fresh metadata."""
    around(Metadata, "want_update", lambda original, self: None)


@mutant("retries", killer="4.3.2-every-error")
def always_fresh_metadata() -> None:
    """Metadata is asked for after every error."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        self._metadata.want_update()
        original(self, batch, error)

    around(Sender, "_on_error", on_error)


@mutant("retries", killer="4.3.2-second-copy")
def retry_gets_a_new_number() -> None:
    """A retry has a sequence number of its own."""

    def returned(original: Any, self: Any, batch: Any, *, renumber: bool) -> None:
        original(self, batch, renumber=True)

    around(Idempotence, "returned", returned)


# --- timeouts -------------------------------------------------------------------------------------


@mutant("timeouts", killer="4.3.2-request-timeout")
def no_request_timeout() -> None:
    """The setting request_timeout_ms is ignored."""

    def send(original: Any, self: Any, request: Any, handler: Any, now: float, timeout: float) -> None:
        original(self, request, handler, now, 3600.0)

    around(Connection, "send", send)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def no_delivery_timeout() -> None:
    """The setting delivery_timeout_ms is ignored."""
    around(Sender, "_expire", lambda original, self, now: setattr(self, "_next_expiry", now + 1))


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def in_flight_never_late() -> None:
    """Only queued batches are given up; what is in flight goes on."""

    def expire(original: Any, self: Any, now: float) -> None:
        in_flight, self._in_flight = self._in_flight, {}
        original(self, now)
        self._in_flight = in_flight

    around(Sender, "_expire", expire)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def clock_starts_anew() -> None:
    """The clock of delivery_timeout_ms starts anew with each attempt."""

    def put_back(original: Any, self: Any, batch: Any, now: float) -> None:
        batch.created = now
        original(self, batch, now)

    around(RecordAccumulator, "put_back", put_back)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def too_short_is_accepted() -> None:
    """A delivery_timeout_ms in which no attempt fits is accepted."""
    around(ProducerConfig, "__post_init__", _without_check)


def _without_check(original: Any, self: Any) -> None:
    short = self.delivery_timeout_ms
    object.__setattr__(self, "delivery_timeout_ms", max(short, self.linger_ms + self.request_timeout_ms))
    original(self)
    object.__setattr__(self, "delivery_timeout_ms", short)


# --- the back-off ---------------------------------------------------------------------------------


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def no_backoff() -> None:
    """A refused batch is sent again at once."""

    def put_back(original: Any, self: Any, batch: Any, now: float) -> None:
        original(self, batch, now)
        batch.not_before = now

    around(RecordAccumulator, "put_back", put_back)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def constant_backoff() -> None:
    """The wait never grows."""
    _backoff(lambda self, failures: self.initial_ms * random.uniform(0.8, 1.2) / 1000)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def backoff_without_maximum() -> None:
    """The wait has no maximum."""
    _backoff(lambda self, failures: self.initial_ms * 2 ** (failures - 1) * random.uniform(0.8, 1.2) / 1000)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def no_jitter() -> None:
    """The wait is not spread."""
    _backoff(lambda self, failures: min(self.initial_ms * 2 ** (failures - 1), self.max_ms) / 1000)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def failures_counted_from_zero() -> None:
    """The first failure is number 0."""
    around(ExponentialBackoff, "seconds", lambda original, self, failures: original(self, failures - 1))


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def wrong_names_accepted() -> None:
    """A misspelt setting is ignored."""

    def of(original: Any, cls: Any, settings: dict[str, Any]) -> Any:
        known = cls.__dataclass_fields__
        return original(cls, {name: value for name, value in settings.items() if name in known})

    around(ProducerConfig, "of", of)


# --- how often ------------------------------------------------------------------------------------


def _miscount(by: int) -> None:
    """Let the Sender count `by` attempts more while it judges an error."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.attempts += by
        original(self, batch, error)
        batch.attempts -= by

    around(Sender, "_on_error", on_error)


@mutant("retries", killer="4.2.6-retries-counts")
def first_attempt_counts() -> None:
    """The first attempt counts as a retry."""
    _miscount(1)


@mutant("retries", killer="4.2.6-retries-counts")
def one_retry_more() -> None:
    """One retry more than allowed."""
    _miscount(-1)


@mutant("retries", killer="4.3.2-knob")
def three_retries_are_enough() -> None:
    """Whatever the settings say, three retries are the last."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        if batch.attempts > 3:
            self._fail(batch, error)
        else:
            original(self, batch, error)

    around(Sender, "_on_error", on_error)
