"""Chapter 03: what is asked for with acks, what the answer means, what waiting costs."""

from __future__ import annotations

from typing import Any

from kafka.errors import NotEnoughReplicasError

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import errors, produce
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import DeliveryTimeoutError, Remedy
from kafkalab.producer.futures import Delivery, DeliveryFuture
from kafkalab.producer.sender import Sender

# --- acks on the wire -----------------------------------------------------------------------------


def _ask(instead: dict[int, int]) -> None:
    """Let the request ask for other acks than the setting says."""
    around(
        ProducerConfig, "required_acks", lambda original, self: instead.get(original(self), original(self))
    )


@mutant("acks", killer="4.3.1-acks-0")
def acks_0_waits() -> None:
    """acks=0 asks for an answer of the leader."""
    _ask({0: 1})


@mutant("acks", killer="4.3.1-acks-1")
def acks_ignored() -> None:
    """No answer is ever asked for."""
    _ask({1: 0, -1: 0})


@mutant("acks", killer="4.3.1-acks-1")
def all_means_1() -> None:
    """acks=all asks for the leader's word only."""
    _ask({-1: 1})


@mutant("acks", killer="4.3.1-acks-1")
def one_means_all() -> None:
    """acks=1 asks for that of all in-sync replicas."""
    _ask({1: -1})


@mutant("acks", killer="4.3.1-one-broker-down")
def broker_given_no_time() -> None:
    """The broker may wait for its followers for a tenth of a second only."""

    def request(original: Any, *args: Any) -> Any:
        made = original(*args)
        made.timeout_ms = 100
        return made

    around(produce, "produce_request", request)


@mutant("acks", killer="4.8.2-ack-is-the-name")
def unknown_settings_ignored() -> None:
    """An unknown setting is ignored, as Java's client does."""

    def of(original: Any, cls: Any, settings: dict[str, Any]) -> Any:
        known = cls.__dataclass_fields__
        return original(cls, {name: value for name, value in settings.items() if name in known})

    around(ProducerConfig, "of", of)


# --- what the answer means ------------------------------------------------------------------------


@mutant("answer", killer="4.3.1-two-down-lose")
def refusals_are_success() -> None:
    """The broker's errors are taken for success."""
    around(
        produce,
        "answers",
        lambda original, response: (each._replace(error=None) for each in original(response)),
    )


@mutant("answer", killer="4.3.1-error-means-absent")
def expired_is_success() -> None:
    """A record whose time is over counts as sent."""

    def fail(original: Any, self: Any, batch: Any, error: Any) -> None:
        if not isinstance(error, DeliveryTimeoutError):
            original(self, batch, error)
            return
        self._ordering.failed(batch, error)
        self._finish(batch, lambda: batch.delivery.acknowledge(None), "completed")

    around(Sender, "_fail", fail)


@mutant("answer", killer="4.3.1-acks-0")
def offset_invented_at_acks_0() -> None:
    """acks=0 invents offset 0, as kafka-python does."""
    around(
        Delivery,
        "acknowledge",
        lambda original, self, base_offset, *rest: original(self, base_offset or 0, *rest),
    )


@mutant("answer", killer="4.3.1-acks-0")
def next_offset() -> None:
    """A future tells the offset of the next record."""

    def metadata(original: Any, self: Any) -> Any:
        told = original(self)
        return told if told.offset is None else told._replace(offset=told.offset + 1)

    around(DeliveryFuture, "_metadata", metadata)


@mutant("answer", killer="4.3.1-two-down-lose")
def refusals_are_retried_for_ever() -> None:
    """A refused record is tried again, however many retries are allowed."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        attempts, batch.attempts = batch.attempts, 0
        original(self, batch, error)
        batch.attempts = attempts

    around(Sender, "_on_error", on_error)


@mutant("answer", killer="exercise safe")
def refusals_are_final() -> None:
    """NOT_ENOUGH_REPLICAS is told to the application at once, as if it could not pass."""

    def remedy(original: Any, error: BaseException) -> Remedy:
        final = isinstance(error, NotEnoughReplicasError)
        return Remedy.ABORT if final else original(error)

    around(errors, "remedy", remedy)


@mutant("answer", killer="4.3.1-acks-1")
def lost_requests_are_success() -> None:
    """A connection that breaks counts as an acknowledgement."""

    def on_produce(original: Any, self: Any, batches: Any, response: Any, error: Any) -> None:
        original(self, batches, response, None if response is None else error)

    around(Sender, "_on_produce", on_produce)


# --- what waiting costs ---------------------------------------------------------------------------


@mutant("price", killer="4.3.1-acks-latency")
def every_acks_waits_for_all() -> None:
    """Whatever acks says, all in-sync replicas are waited for."""
    _ask({0: -1, 1: -1})


@mutant("price", killer="4.3.1-acks-latency")
def nothing_is_waited_for() -> None:
    """Whatever acks says, nobody is waited for."""
    _ask({1: 0, -1: 0})
