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

from __future__ import annotations

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


class KeyType(Enum):
    """What a coordinator coordinates, as FindCoordinator numbers it."""

    GROUP = 0
    TRANSACTION = 1


class Verdict(Enum):
    """What an answer means."""

    OK = "done"
    RETRY = "ask again"
    MOVED = "find the coordinator, ask again"
    ABORT = "this transaction has to be aborted"
    FATAL = "this producer cannot go on"


_WORST_LAST = list(Verdict)
_MOVED = {15: Verdict.MOVED, 16: Verdict.MOVED}
_ABORTABLE = {120: Verdict.ABORT}
_FENCED = {47: Verdict.FATAL, 90: Verdict.FATAL}

VERDICTS: dict[str, dict[int, Verdict]] = {
    "FindCoordinator": {15: Verdict.RETRY, 16: Verdict.RETRY, 30: Verdict.ABORT} | _ABORTABLE,
    "InitProducerId": _MOVED | _FENCED | {31: Verdict.ABORT, 53: Verdict.ABORT} | _ABORTABLE,
    "AddPartitionsToTxn": _MOVED
    | _FENCED
    | {48: Verdict.FATAL, 49: Verdict.FATAL, 53: Verdict.FATAL}
    | {-1: Verdict.ABORT, 29: Verdict.ABORT, 55: Verdict.ABORT, 59: Verdict.ABORT}
    | _ABORTABLE,
    "AddOffsetsToTxn": _MOVED | _FENCED | {30: Verdict.ABORT, 59: Verdict.ABORT} | _ABORTABLE,
    "TxnOffsetCommit": _MOVED
    | _FENCED
    | {7: Verdict.MOVED, 22: Verdict.ABORT, 25: Verdict.ABORT, 30: Verdict.ABORT, 82: Verdict.ABORT}
    | _ABORTABLE,
    "EndTxn": _MOVED | _FENCED | {59: Verdict.ABORT} | _ABORTABLE,
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

    api: str
    request: Any
    key_type: KeyType
    key: str
    told: Callable[[Any, Verdict, BaseException | None], None]


class Courier:
    """Carries one call at a time to its coordinator; lives on the I/O thread."""

    def __init__(self, config: ProducerConfig, trace: Tracer | None = None) -> None:
        self._timeout = config.request_timeout_ms / 1000
        self._backoff = ExponentialBackoff(config.retry_backoff_ms, config.retry_backoff_max_ms)
        self._soon = self._backoff._replace(initial_ms=min(_SOON_MS, config.retry_backoff_ms))
        self._trace = trace
        self._nodes: dict[tuple[KeyType, str], int] = {}
        self._failures = 0
        self._not_before = 0.0
        self._patience: float | None = None
        self.busy = False
        """Whether an answer is awaited."""
        self.trouble: BaseException | None = None
        """Why the last request has to be repeated, for messages."""

    def carry(self, call: Call, client: Client, now: float) -> float:
        """Send `call`, or what has to come before it; return in how many seconds to be asked again."""
        if self.busy or now < self._not_before:
            return float("inf") if self.busy else self._not_before - now
        node = self._nodes.get((call.key_type, call.key))
        if node is None:
            self._find(call, client, now)
        elif client.can_send(node, now):
            self._patience = None
            self._send(node, call, call, client, now)
        else:
            return self._wait_for(call, now)
        return float("inf")

    def _find(self, call: Call, client: Client, now: float) -> None:
        node = client.any_node(now)
        if node is not None:
            request = FindCoordinatorRequest(key=call.key, key_type=call.key_type.value, max_version=3)
            self._send(node, call._replace(api="FindCoordinator", request=request), call, client, now)

    def _wait_for(self, call: Call, now: float) -> float:
        """Give the coordinator a while to be reached; then ask whether it is another broker by now."""
        if self._patience is None:
            self._failures += 1
            self._patience = now + self._backoff.seconds(self._failures)
        if now < self._patience:
            return self._patience - now
        self._patience = None
        del self._nodes[call.key_type, call.key]
        return 0.0

    def _send(self, node: int, message: Call, call: Call, client: Client, now: float) -> None:
        self.busy = True
        if self._trace is not None:
            self._trace("coordinator_request", api=message.api, node=node, key=call.key)
        handler = partial(self._on_answer, message, call)
        client.send(node, message.request, handler, now, self._timeout)

    def _on_answer(self, message: Call, call: Call, response: Any, error: BaseException | None) -> None:
        self.busy = False
        errors = [error] if error is not None else [as_error(code) for code in error_codes(response) if code]
        verdicts = [(verdict(message.api, each), each) for each in errors]
        worst, error = max(verdicts, key=lambda each: _WORST_LAST.index(each[0]), default=(Verdict.OK, None))
        if self._trace is not None:
            name = None if error is None else type(error).__name__
            self._trace("coordinator_answer", api=message.api, verdict=worst.name, error=name)
        self._note(worst, message, call, error)
        if message is call or worst in {Verdict.ABORT, Verdict.FATAL}:
            call.told(response if message is call else None, worst, error)
        elif worst is Verdict.OK:
            self._nodes[call.key_type, call.key] = response.node_id

    def _note(self, worst: Verdict, message: Call, call: Call, error: BaseException | None) -> None:
        """Forget a coordinator that moved; wait before anything is asked again."""
        self.trouble = error
        if worst is Verdict.MOVED:
            self._nodes.pop((call.key_type, call.key), None)
        if worst not in {Verdict.RETRY, Verdict.MOVED}:
            self._failures = 0 if message is call else self._failures
            return
        self._failures += 1
        backoff = self._soon if isinstance(error, kafka_errors.ConcurrentTransactionsError) else self._backoff
        self._not_before = time.monotonic() + backoff.seconds(self._failures)


def error_codes(response: Any) -> list[int]:
    """Return every error code in the answer to any of the requests here."""
    topics = getattr(response, "results_by_topic_v3_and_below", None)
    if topics is not None:
        return [each.partition_error_code for topic in topics for each in topic.results_by_partition]
    topics = getattr(response, "topics", None)
    if topics is not None:
        return [each.error_code for topic in topics for each in topic.partitions]
    return [response.error_code]


def as_error(code: int) -> BaseException:
    """Return the exception for `code`; an old epoch means here that another producer took over."""
    fenced = code == kafka_errors.InvalidProducerEpochError.errno
    error: BaseException = kafka_errors.ProducerFencedError() if fenced else kafka_errors.for_code(code)()
    return error
