"""Chapter 04: back-off, how often, and in what order."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import config, idempotence
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.batch import BatchState
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.idempotence import Idempotence, LineState
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.ordering import OneAtATime, Verdict
from kafkalab.producer.sender import Sender

# --- back-off -------------------------------------------------------------------------------------


def _wait(replacement: Any) -> None:
    around(ExponentialBackoff, "seconds", replacement)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def no_backoff() -> None:
    """A retry leaves at once."""
    _wait(lambda original, self, failures: 0.0)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def constant_backoff() -> None:
    """Every wait is as long as the first."""
    _wait(lambda original, self, failures: original(self, 1))


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def no_jitter() -> None:
    """All producers come back at the same time."""
    _wait(lambda original, self, failures: min(self.initial_ms * 2 ** (failures - 1), self.max_ms) / 1000)


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def no_longest_wait() -> None:
    """Waits grow beyond retry_backoff_max_ms."""
    _wait(lambda original, self, failures: original(self._replace(max_ms=2**31), failures))


@mutant("back-off", killer="4.3.2-retries-backoff-name")
def backoff_not_kept() -> None:
    """The wait is drawn, and not kept."""

    def put_back(original: Any, self: Any, batch: Any, now: float) -> None:
        original(self, batch, now)
        batch.not_before = now

    around(RecordAccumulator, "put_back", put_back)


@mutant("back-off", killer="exercise backoff")
def failures_counted_from_0() -> None:
    """The wait after the first failure is asked for twice."""

    def put_back(original: Any, self: Any, batch: Any, now: float) -> None:
        batch.attempts -= 1
        original(self, batch, now)
        batch.attempts += 1

    around(RecordAccumulator, "put_back", put_back)


# --- how often ------------------------------------------------------------------------------------


@mutant("retries", killer="4.2.6-retries-counts")
def first_attempt_counts() -> None:
    """The first attempt counts as a retry."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.attempts += 1
        original(self, batch, error)
        batch.attempts -= 1

    around(Sender, "_on_error", on_error)


@mutant("retries", killer="4.2.6-retries-counts")
def one_too_many() -> None:
    """There is one retry more than allowed."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.attempts -= 1
        original(self, batch, error)
        batch.attempts += 1

    around(Sender, "_on_error", on_error)


@mutant("retries", killer="4.3.2-knob")
def few_by_default() -> None:
    """By default there are three retries."""
    around(ProducerConfig, "of", lambda original, cls, settings: original(cls, {"retries": 3} | settings))


@mutant("retries", killer="4.3.2-knob")
def gives_up_at_once() -> None:
    """The first error is the last."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        if batch.state is BatchState.IN_FLIGHT:
            self._fail(batch, error)

    around(Sender, "_on_error", on_error)


@mutant("retries", killer="4.3.2-knob")
def failed_and_sent() -> None:
    """What failed is sent all the same."""

    def fail(original: Any, self: Any, batch: Any, error: Any) -> None:
        if batch.state is BatchState.IN_FLIGHT and batch.attempts < 30 and not self._aborting:
            batch.delivery.fail(error)
            self._retry(batch, error, renumber=False)
        else:
            original(self, batch, error)

    around(Sender, "_fail", fail)


# --- order ----------------------------------------------------------------------------------------


@mutant("order", killer="4.3.2-one-in-flight")
def retry_goes_to_the_end() -> None:
    """A refused batch goes to the end of its queue."""

    def insert(original: Any, self: Any, batch: Any) -> None:
        number, batch.number = batch.number, 2**31
        original(self, batch)
        batch.number = number

    around(RecordAccumulator, "_insert", insert)


@mutant("order", killer="4.3.2-one-in-flight")
def in_flight_ignored() -> None:
    """max_in_flight_requests_per_connection is ignored."""

    def can_send(original: Any, self: Any, node: int, now: float) -> Any:
        limit = self._config.max_in_flight_requests_per_connection
        object.__setattr__(self._config, "max_in_flight_requests_per_connection", 5)
        found = original(self, node, now)
        object.__setattr__(self._config, "max_in_flight_requests_per_connection", limit)
        return found

    around(NetworkClient, "can_send", can_send)
    around(OneAtATime, "admits", lambda original, self, batch: True)


@mutant("order", killer="4.3.2-five-in-flight")
def never_pipelined() -> None:
    """An idempotent producer has one batch of a partition out, as kafka-python's."""
    idempotence.MOST_OUT[LineState.PROVEN] = 1
    around(Idempotence, "admits", lambda original, self, batch: original(self, batch))


@mutant("order", killer="4.3.2-five-in-flight")
def numbers_not_kept() -> None:
    """A batch that was refused as out of order fails."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return Verdict.FAIL if getattr(error, "errno", 0) == 45 else original(self, batch, error)

    around(Idempotence, "judge", judge)


@mutant("order", killer="4.3.2-retries-reorder")
def always_one_at_a_time() -> None:
    """Nothing overtakes, whatever is set."""
    around(
        NetworkClient,
        "can_send",
        lambda original, self, node, now: (
            original(self, node, now) and not any(each.in_flight for each in self._connections.values())
        ),
    )


@mutant("order", killer="4.3.2-since-1.1")
def six_allowed() -> None:
    """Six requests in flight are accepted with idempotence."""

    def rules(original: Any, settings: Any) -> Any:
        return ((broken and "is above" not in message, message) for broken, message in original(settings))

    around(config, "_idempotence", rules)


@mutant("order", killer="4.3.2-one-in-flight-price")
def five_as_slow_as_one() -> None:
    """With idempotence, too, each answer is waited for."""
    never_pipelined()
