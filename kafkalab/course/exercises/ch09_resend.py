"""Chapter 09: what to do with a record whose send has ended: tick it off, send it again, or report it.

Each case lets one record end in its way, through a proxy; the learner decides, the check carries it out and
counts the copies in the log. Errors that look alike come with and without a stored record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kafka import errors

from kafkalab.cluster.polling import wait_until
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer
from kafkalab.producer.errors import BufferExhaustedError

ORDER = b"order"
PATIENCE = {"request_timeout_ms": 400, "delivery_timeout_ms": 800}
VERDICTS = ("done", "again", "report")
WAIT_S = 30.0


class Clerk:
    """Look into the log wherever the error leaves it open."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Return "done", "again" (send it again) or "report" (sending again will not help)."""
        if error is None:
            return "done"
        if isinstance(error, (errors.MessageSizeTooLargeError, errors.TopicAuthorizationFailedError)):
            return "report"
        if isinstance(error, BufferExhaustedError):
            return "again"  # it never left
        return "done" if stored() else "again"


class Case(NamedTuple):
    """One ending: what happened, and what may be said of it without a look into the log."""

    story: str
    fails: Callable[[FaultProxy, str], BaseException | None]
    hopeless: bool = False
    """It will fail again, however often it is sent."""
    certain: bool = False
    """What came back tells whether the record is stored."""


def check(answer: Any, bench: Bench) -> Result:
    """Let one record end in each way, do what the learner decides, count copies and looks."""
    for number, case in enumerate(CASES):
        topic = bench.topic(f"resend-{number}", partitions=1, replication_factor=3, config=CONFIG)
        with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy:
            error = case.fails(proxy, topic)
        looks: list[bool] = []
        verdict = answer.decide(error, lambda t=topic, seen=looks: _look(bench.cluster, t, seen))
        told = "acknowledged" if error is None else f"{type(error).__name__}: {error}"
        if fault := _fault(case, verdict, looks) or _carried_out(case, verdict, bench.cluster, topic):
            return Result("wrong", fault, f"{case.story}: {told}")
    return Result("correct", f"{len(CASES)} endings: each order is there once, or somebody knows why not.")


def _fault(case: Case, verdict: Any, looks: list[bool]) -> str | None:
    if verdict not in VERDICTS:
        return f"decide() returned {verdict!r}: return one of {', '.join(map(repr, VERDICTS))}."
    if case.hopeless != (verdict == "report"):
        if case.hopeless:
            return f'You say "{verdict}": but this record will be refused each time it is sent.'
        return "A person would have to look at something that the program can settle itself."
    if case.certain and looks:
        return "You looked into the log: not needed, what came back says it. With a million orders it counts."
    return None


def _carried_out(case: Case, verdict: str, cluster: Any, topic: str) -> str | None:
    if verdict == "again":
        with Producer(bootstrap_servers=cluster.bootstrap_servers) as producer:
            producer.send(topic, ORDER).result(timeout=WAIT_S)
    copies = _copies(cluster, topic)
    if copies > 1:
        return f'You say "again": now the order is there {copies} times, for it was stored before.'
    if copies == 0 and not case.hopeless:
        return f'You say "{verdict}", and the order is nowhere.'
    return None


def _look(cluster: Any, topic: str, seen: list[bool]) -> bool:
    seen.append(_copies(cluster, topic) > 0)
    return seen[-1]


def _copies(cluster: Any, topic: str) -> int:
    def ends() -> Any:
        return cluster.offsets(topic, 0)

    wait_until("all is copied", ends, lambda at: bool(at.high_watermark == at.log_end))
    return sum(record.value == ORDER for record in cluster.read(topic))


# --- the endings ----------------------------------------------------------------------------------

CONFIG = {"min.insync.replicas": "2"}


@contextmanager
def _warm(proxy: FaultProxy, topic: str, **settings: Any) -> Iterator[Producer]:
    """Open a producer that knows the topic, and has a record acknowledged."""
    producer = Producer(bootstrap_servers=proxy.bootstrap_servers, **settings)
    try:
        producer.send(topic, b"base").result(timeout=WAIT_S)
        yield producer
    finally:
        producer.close(timeout=0)


def _end(producer: Producer, topic: str) -> BaseException | None:
    return producer.send(topic, ORDER).exception(timeout=WAIT_S)


def _well(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic) as producer:
        return _end(producer, topic)


def _too_large(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic) as producer:
        proxy.answer_with("Produce", "MESSAGE_TOO_LARGE", topic=topic)
        return _end(producer, topic)


def _not_allowed(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic) as producer:
        proxy.answer_with("Produce", "TOPIC_AUTHORIZATION_FAILED", topic=topic)
        return _end(producer, topic)


def _no_room(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic, buffer_memory=16_384, max_block_ms=1000) as producer:
        held = proxy.hold("Produce", topic=topic)
        before = producer.send(topic, b"another one")
        held.wait()
        error = _end(producer, topic)
        held.release()
        before.result(timeout=WAIT_S)
    return error


def _no_answer(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic, **PATIENCE) as producer:
        proxy.drop_response("Produce", topic=topic, times=None)
        return _end(producer, topic)


def _no_request(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic, **PATIENCE) as producer:
        proxy.drop_request("Produce", topic=topic, times=None)
        return _end(producer, topic)


def _refused_for_good(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic, retries=2) as producer:
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", topic=topic, times=None)
        return _end(producer, topic)


def _stored_then_refused(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic, retries=1) as producer:
        proxy.drop_response("Produce", topic=topic, reset=True)
        proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", topic=topic, nth=2)
        return _end(producer, topic)


def _closed(proxy: FaultProxy, topic: str) -> BaseException | None:
    with _warm(proxy, topic) as producer:
        lost = proxy.drop_response("Produce", topic=topic)
        future = producer.send(topic, ORDER)
        lost.wait()
        producer.close(timeout=0)
        return future.exception(timeout=WAIT_S)


CASES = (
    Case("all went well", _well, certain=True),
    Case("too large", _too_large, hopeless=True, certain=True),
    Case("no right to write", _not_allowed, hopeless=True, certain=True),
    Case("no memory left", _no_room, certain=True),
    Case("no answer in time", _no_answer),
    Case("the request never arrived", _no_request),
    Case("refused three times", _refused_for_good),
    Case("answer lost, then refused", _stored_then_refused),
    Case("closed while waiting", _closed),
)


class SendsAgain(Clerk):
    """Wrong: failed does not mean absent."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Send again whatever failed, and might work."""
        return super().decide(error, lambda: False)


class NeverAgain(Clerk):
    """Wrong: what was never stored is missing."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Trust the producer's retries."""
        return super().decide(error, lambda: True)


class AlwaysLooks(Clerk):
    """Wrong: some endings need no look."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Look, to be sure."""
        there = stored()
        return super().decide(error, lambda: there)


class NeverGivesUp(Clerk):
    """Wrong: a record does not shrink."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Try everything again."""
        return "done" if error is None or stored() else "again"


class RefusedIsCertain(Clerk):
    """Wrong: with retries, the error tells of the last attempt only."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Take a refusal for the whole story."""
        refused = isinstance(error, errors.NotEnoughReplicasError)
        return "again" if refused else super().decide(error, stored)


class ClosedIsCertain(Clerk):
    """Wrong: it was closed before the *acknowledgement*."""

    def decide(self, error: BaseException | None, stored: Callable[[], bool]) -> str:
        """Take a closed producer for one that sent nothing."""
        closed = isinstance(error, errors.IllegalStateError)
        return "again" if closed else super().decide(error, stored)


EXERCISE = Exercise(
    chapter="09",
    name="resend",
    prompt=(
        "A send has ended. Write decide(error, stored): error is None if it was acknowledged, else what its "
        'future raised. Return "done", "again" if the order has to be sent again, or "report" if that would '
        "be in vain. stored() looks into the log and says whether the order is there; that is dear, so look "
        "only where what came back leaves it open. The producers are idempotent and retry; the check does "
        "what you decide, and counts. Nine endings, about ten seconds."
    ),
    hints=(
        (
            "Three questions in this order: can it ever be stored (a size, a right)? Has it left the "
            "producer at all (kafkalab.producer.errors.BufferExhaustedError)? Everything else: look."
        ),
        (
            "MessageSizeTooLargeError and TopicAuthorizationFailedError of kafka.errors: report. "
            "NotEnoughReplicasError after a retry leaves it open: an earlier attempt may be stored."
        ),
    ),
    method="decide",
    solution=Clerk,
    check=check,
    wrong={
        "failed means absent": SendsAgain,
        "failed means given up": NeverAgain,
        "a refusal is certain": RefusedIsCertain,
        "looks every time": AlwaysLooks,
        "never reports": NeverGivesUp,
        "closed means not sent": ClosedIsCertain,
    },
)
