"""Talking to coordinators: the brokers that keep a transaction's state, and a consumer group's (KIP-98).

A coordinator is found by its key (the transactional.id, or the group's id), moves when its broker dies,
and may be busy. `Courier` deals with all of that for one request at a time:

    find the coordinator, if unknown → send → OK                     tell the caller
                                            → RETRY                  again, after a back-off
                                            → MOVED, connection lost find it anew, then again
                                            → ABORT, FATAL           tell the caller

`VERDICTS` is the table of what an error means, per request; it follows the Java client's handlers
(`TransactionManager.InitProducerIdHandler` and its siblings; KIP-588, KIP-890, KIP-1050).

Leaves out: when to send what; that is the transaction's business (transactions.py).
"""

import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

from kafka import errors as kafka_errors
from kafka.protocol.metadata import FindCoordinatorRequest

from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import Remedy, remedy
from kafkalab.producer.ordering import Client
from kafkalab.producer.tracing import Tracer

_SOON_MS = 20.0  # the previous transaction is still being ended, which takes milliseconds
GROUP, TRANSACTION = 0, 1  # what a coordinator coordinates, as FindCoordinator numbers it


class Verdict(Enum):
    """What an answer means."""

    OK = "done"
    RETRY = "ask again"
    MOVED = "find the coordinator, ask again"
    ABORT = "this transaction has to be aborted"
    FATAL = "this producer cannot go on"


_WORST_LAST = list(Verdict)
_MOVED = {15: Verdict.MOVED, 16: Verdict.MOVED}


def _abort(*codes: int) -> dict[int, Verdict]:
    return dict.fromkeys((*codes, 120), Verdict.ABORT)


VERDICTS: dict[str, dict[int, Verdict]] = {
    "FindCoordinator": _abort(30),
    "InitProducerId": _MOVED | _abort(31, 53),
    "AddPartitionsToTxn": _MOVED | dict.fromkeys((47, 48, 49, 53, 90), Verdict.FATAL),
    "AddOffsetsToTxn": _MOVED | _abort(30, 59),
    "TxnOffsetCommit": _MOVED | {7: Verdict.MOVED} | _abort(22, 25, 30, 82),
    "EndTxn": _MOVED | _abort(59),
}
"""Request -> error code -> verdict. Others: RETRY if retriable, else FATAL (AddPartitionsToTxn: ABORT)."""


def verdict(api: str, error: BaseException) -> Verdict:
    """Return what `error`, met by a request called `api`, means."""
    code = getattr(error, "errno", None)
    if code is None:  # no answer at all
        return Verdict.MOVED if remedy(error) is Remedy.REFRESH else Verdict.FATAL
    if code in VERDICTS[api]:
        return VERDICTS[api][code]
    if remedy(error) in {Remedy.RETRY, Remedy.REFRESH}:
        return Verdict.RETRY
    return Verdict.ABORT if api == "AddPartitionsToTxn" else Verdict.FATAL


class Call(NamedTuple):
    """A request to the coordinator of `key`, and who is told of the answer: `told(response, verdict, error)`.

    It is told of RETRY and MOVED, too, since an answer may be good for some partitions.
    """

    request: Any
    coordinator: tuple[int, str]  # GROUP or TRANSACTION, and its name
    told: Callable[[Any, Verdict, BaseException | None], None]

    @property
    def api(self) -> str:
        """The request's name in the protocol."""
        return type(self.request).__name__.removesuffix("Request")


class Courier:
    """Carries one call at a time to its coordinator; lives on the I/O thread."""

    def __init__(self, config: ProducerConfig, trace: Tracer | None = None) -> None:
        self._timeout = config.request_timeout_ms / 1000
        self._backoff = ExponentialBackoff(config.retry_backoff_ms, config.retry_backoff_max_ms)
        self._soon = self._backoff._replace(initial_ms=min(_SOON_MS, config.retry_backoff_ms))
        self._trace = trace
        self._nodes: dict[tuple[int, str], int] = {}
        self._failures = 0
        self._not_before = 0.0
        self._patience: float | None = None
        self.busy = False
        """Whether an answer is awaited."""
        self.trouble: BaseException | None = None
        """Why the last request has to be repeated, for messages."""

    def carry(self, call: Call, client: Client, now: float) -> float:
        """Send `call`, or what has to come before it, unless `busy`; return when to be asked again (s)."""
        if now < self._not_before:
            return self._not_before - now
        node = self._nodes.get(call.coordinator)
        if node is None:
            node, (kind, key) = client.any_node(now), call.coordinator
            if node is not None:
                request = FindCoordinatorRequest(key=key, key_type=kind, max_version=3)
                self._send(node, Call(request, call.coordinator, partial(self._on_found, call)), client, now)
        elif client.can_send(node, now):
            self._patience = None
            self._send(node, call, client, now)
        else:
            return self._wait_for(call, now)
        return float("inf")

    def _wait_for(self, call: Call, now: float) -> float:
        """Give the coordinator a while to be reached; then ask whether it is another broker by now."""
        if self._patience is None:
            self._failures += 1
            self._patience = now + self._backoff.seconds(self._failures)
        if now < self._patience:
            return self._patience - now
        self._patience = None
        del self._nodes[call.coordinator]
        return 0.0

    def _send(self, node: int, call: Call, client: Client, now: float) -> None:
        self.busy = True
        if self._trace is not None:
            self._trace("coordinator_request", api=call.api, node=node, key=call.coordinator[1])
        client.send(node, call.request, partial(self._on_answer, call), now, self._timeout)

    def _on_answer(self, call: Call, response: Any, error: BaseException | None) -> None:
        """Forget a coordinator that moved; wait before anything is asked again."""
        self.busy = False
        verdicts = [(verdict(call.api, each), each) for each in ([error] if error else errors_in(response))]
        worst, error = max(verdicts, key=lambda each: _WORST_LAST.index(each[0]), default=(Verdict.OK, None))
        self.trouble = error
        if self._trace is not None:
            name = None if error is None else type(error).__name__
            self._trace("coordinator_answer", api=call.api, verdict=worst.name, error=name)
        if worst is Verdict.MOVED:
            self._nodes.pop(call.coordinator, None)
        if worst in {Verdict.RETRY, Verdict.MOVED}:
            self._failures += 1
            soon = isinstance(error, kafka_errors.ConcurrentTransactionsError)
            wait = (self._soon if soon else self._backoff).seconds(self._failures)
            self._not_before = time.monotonic() + wait
        elif call.api != "FindCoordinator":  # one that is found may still be out of reach
            self._failures = 0
        call.told(response, worst, error)

    def _on_found(self, call: Call, response: Any, meaning: Verdict, error: BaseException | None) -> None:
        if meaning is Verdict.OK:
            self._nodes[call.coordinator] = response.node_id
        elif meaning in {Verdict.ABORT, Verdict.FATAL}:
            call.told(None, meaning, error)


def errors_in(response: Any) -> list[BaseException]:
    """Return every error in the answer to any of the requests here.

    An old epoch means here that another producer took over.
    """
    codes = [getattr(response, "error_code", 0)]
    for topic in getattr(response, "topics", ()):
        codes += [each.error_code for each in topic.partitions]
    for topic in getattr(response, "results_by_topic_v3_and_below", ()):
        codes += [each.partition_error_code for each in topic.results_by_partition]
    old = kafka_errors.InvalidProducerEpochError.errno
    fenced = kafka_errors.ProducerFencedError
    return [(fenced if code == old else kafka_errors.for_code(code))() for code in codes if code]
