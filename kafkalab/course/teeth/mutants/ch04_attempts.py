"""Chapter 04: which errors are retried, timeouts."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import config, errors
from kafkalab.producer.errors import Remedy
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.sender import Sender

# --- which errors ---------------------------------------------------------------------------------


@mutant("verdicts", killer="4.3.2-every-error")
def nothing_is_retried() -> None:
    """No error is worth another try."""
    around(Ordering, "judge", lambda original, self, batch, error: Verdict.FAIL)


@mutant("verdicts", killer="4.3.2-every-error")
def everything_is_retried() -> None:
    """Every error is worth another try."""
    around(Ordering, "judge", lambda original, self, batch, error: Verdict.RETRY)


def _remedy(instead: dict[Remedy, Remedy]) -> None:
    around(errors, "remedy", lambda original, error: instead.get(original(error), original(error)))


@mutant("verdicts", killer="4.3.2-every-error")
def metadata_stays_old() -> None:
    """Nobody asks for fresh metadata when a leader has moved."""
    _remedy({Remedy.REFRESH: Remedy.RETRY})


@mutant("verdicts", killer="4.3.2-every-error")
def metadata_every_time() -> None:
    """Fresh metadata is asked for after every error that passes."""
    _remedy({Remedy.RETRY: Remedy.REFRESH})


@mutant("verdicts", killer="4.3.2-second-copy")
def retries_get_new_numbers() -> None:
    """An idempotent producer numbers a retry as if it were new."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        found = original(self, batch, error)
        return Verdict.RENUMBER if found is Verdict.RETRY and batch.stamp is not None else found

    around(Idempotence, "judge", judge)


@mutant("verdicts", killer="4.3.2-second-copy")
def retry_not_sent() -> None:
    """What timed out at the broker counts as stored."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return Verdict.ACKNOWLEDGE if getattr(error, "errno", 0) == 7 else original(self, batch, error)

    around(Ordering, "judge", judge)


# --- timeouts -------------------------------------------------------------------------------------


@mutant("timeouts", killer="4.3.2-request-timeout")
def request_timeout_late() -> None:
    """An answer is waited for fifteen times as long as request_timeout_ms says."""
    around(Sender, "_request_timeout", lambda original, self: 15 * original(self))


@mutant("timeouts", killer="4.3.2-request-timeout")
def request_timeout_early() -> None:
    """An answer is waited for half as long as request_timeout_ms says."""
    around(Sender, "_request_timeout", lambda original, self: original(self) / 2)


@mutant("timeouts", killer="4.3.2-request-timeout")
def silence_is_final() -> None:
    """A request without an answer is not sent again."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return original(self, batch, error) if hasattr(error, "errno") and error.errno > 0 else Verdict.FAIL

    around(Ordering, "judge", judge)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def delivery_timeout_late() -> None:
    """A record gets twice its delivery_timeout_ms."""
    _late(2)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def delivery_timeout_early() -> None:
    """A record gets half of its delivery_timeout_ms."""
    _late(0.5)


def _late(factor: float) -> None:
    def expire(original: Any, self: Any, now: float) -> None:
        limit = self._config.delivery_timeout_ms
        object.__setattr__(self._config, "delivery_timeout_ms", limit * factor)
        original(self, now)
        object.__setattr__(self._config, "delivery_timeout_ms", limit)

    around(Sender, "_expire", expire)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def attempts_end_first() -> None:
    """A record is given up between two attempts only."""

    def expire(original: Any, self: Any, now: float) -> None:
        out, self._in_flight = self._in_flight, {}
        original(self, now)
        self._in_flight = out

    around(Sender, "_expire", expire)


@mutant("timeouts", killer="4.3.2-delivery-timeout")
def timeouts_not_compared() -> None:
    """delivery_timeout_ms may be shorter than a single attempt."""

    def numbers(original: Any, settings: Any) -> Any:
        return ((broken and "is below" not in message, message) for broken, message in original(settings))

    around(config, "_numbers", numbers)
