"""Chapter 03: read an error. It may or may not leave the record in the log.

Each case makes one record fail on the real cluster, by a refusal or by a fault of the proxy, and looks into
the log. In one of them (the request was lost) the record is absent, but the error cannot know that: it is the
same as for a lost answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kafka import errors

from kafkalab.cluster.polling import wait_until
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer

REFUSED = (errors.NotEnoughReplicasError, errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)


class Reader:
    """Only a refusal rules it out: the leader decides before it writes."""

    def may_be_stored(self, error: BaseException) -> bool:
        """Return whether the record may be in the log although its future raised `error`."""
        return not isinstance(error, REFUSED)


class Case(NamedTuple):
    """One failure that happened: what it was, the error of the future, and whether the log has the record."""

    story: str
    error: BaseException
    stored: bool
    certain: bool
    """Whether this error rules out that the record is stored."""


def check(answer: Any, bench: Bench) -> Result:
    """Let records fail in six ways, ask of each error, compare with the log."""
    cases = list(failures(bench))
    for case in cases:
        if (message := _fault(case, answer.may_be_stored(case.error))) is not None:
            return Result("wrong", message, f"{case.story}: {type(case.error).__name__}: {case.error}")
    stored = sum(case.stored for case in cases)
    return Result(
        "correct", f"{len(cases)} errors read; {stored} of the records are in the log all the same."
    )


def _fault(case: Case, said: Any) -> str | None:
    if not isinstance(said, bool):
        return f"may_be_stored() returned {said!r}: return True or False."
    if case.stored and not said:
        return "You say it cannot be stored, and there it is in the log. Sending it again would double it."
    if case.certain and said:
        return "This one is certain: the leader refused before it wrote anything. It can be sent again."
    if not case.certain and not said:
        return (
            "It is not in the log this time, but this error cannot know: the same one comes when only the "
            "answer was lost."
        )
    return None


def failures(bench: Bench) -> Iterator[Case]:
    """Make one record fail in each way."""
    brokers = bench.cluster.broker_ids[:3]
    plain = bench.topic("error", assignment=[brokers])
    small = bench.topic("error-small", assignment=[brokers], config={"max.message.bytes": "200"})
    ways: list[tuple[str, str, bytes, bool, Callable[[FaultProxy], object]]] = [
        ("too few replicas in sync", plain, b"a", True, _answers("NOT_ENOUGH_REPLICAS", forward=False)),
        ("max.message.bytes=200", small, b"b" * 1000, True, lambda _: None),
        ("the answer was lost", plain, b"c", False, lambda p: p.drop_response("Produce", reset=True)),
        ("the request was lost", plain, b"d", False, lambda p: p.drop_request("Produce", reset=True)),
        ("written, then too few replicas", plain, b"e", False, _answers("NOT_ENOUGH_REPLICAS_AFTER_APPEND")),
        ("written, then the time was over", plain, b"f", False, _answers("REQUEST_TIMED_OUT")),
    ]
    for story, topic, value, certain, fault in ways:
        error = _failed(bench.cluster, topic, value, fault)
        yield Case(story, error, _is_there(bench.cluster, topic, value), certain)


def _answers(error: str, *, forward: bool = True) -> Callable[[FaultProxy], object]:
    return lambda proxy: proxy.answer_with("Produce", error, forward=forward)


def _failed(cluster: Any, topic: str, value: bytes, fault: Callable[[FaultProxy], object]) -> BaseException:
    settings: dict[str, Any] = {"retries": 0, "enable_idempotence": False}
    with FaultProxy(cluster.bootstrap_servers, cluster.security) as proxy:
        fault(proxy)
        with Producer(bootstrap_servers=proxy.bootstrap_servers, **settings) as producer:
            error = producer.send(topic, value).exception(timeout=30)
    if error is None:
        raise RuntimeError(f"{value!r} was acknowledged, though its answer should have been an error")
    return error


def _is_there(cluster: Any, topic: str, value: bytes) -> bool:
    """Wait until all that was written can be read, and look for the record."""

    def ends() -> Any:
        return cluster.offsets(topic, 0)

    wait_until("all is copied", ends, lambda offsets: bool(offsets.high_watermark == offsets.log_end))
    return value in [record.value for record in cluster.read(topic)]


class ErrorMeansAbsent:
    """Wrong: an error is the lack of an acknowledgement, nothing more."""

    def may_be_stored(self, error: BaseException) -> bool:
        """Trust the word error."""
        return False


class NeverSure:
    """Wrong: a refusal is certain."""

    def may_be_stored(self, error: BaseException) -> bool:
        """Trust nothing."""
        return True


class OnlyTimeouts:
    """Wrong: a broken connection is no answer either."""

    def may_be_stored(self, error: BaseException) -> bool:
        """Look for the broker's own timeout."""
        return isinstance(error, errors.RequestTimedOutError)


class AllOfReplicas:
    """Wrong: one of the two errors about replicas comes after the append."""

    def may_be_stored(self, error: BaseException) -> bool:
        """Take both for refusals."""
        return not isinstance(error, (*REFUSED, errors.NotEnoughReplicasAfterAppendError))


EXERCISE = Exercise(
    chapter="03",
    name="error",
    prompt=(
        "A record's future raised an error, with retries=0. Can the record be in the log all the same? Write "
        "may_be_stored(error): False only if the error rules it out. The check lets records fail in six ways "
        "and looks into the log each time: too few replicas, too large, answer lost, request lost, too few "
        "replicas after the append, time over."
    ),
    hints=(
        (
            "Who says no before writing? The leader checks the size and counts its ISR first. The classes "
            "are in kafka.errors: NotEnoughReplicasError, MessageSizeTooLargeError, ..."
        ),
        "Everything else may come after the append: return not isinstance(error, (the two refusals)).",
    ),
    method="may_be_stored",
    solution=Reader,
    check=check,
    wrong={
        "an error means absent": ErrorMeansAbsent,
        "never sure": NeverSure,
        "only timeouts": OnlyTimeouts,
        "both errors about replicas": AllOfReplicas,
    },
)
