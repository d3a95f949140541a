"""The life of a transactional producer: its states, the verbs they allow, and waiting for a verb to be over.

`TRANSITIONS` is the whole state machine: the verbs that each state allows, and what else may happen in
it. docs/transactions.md shows it as a picture, drawn from the table. (Java: `TransactionManager.State`.)

Rules
- A verb is called on the application's threads and waits for max_block_ms. One that ran out of time, or was
  interrupted, goes on in the background, and has to be called again before any other: it then waits for
  the same operation.
- Out of turn, a verb raises TransactionStateError and changes nothing.

Leaves out: what is done in a state; that is transactions.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum

from kafka.errors import KafkaTimeoutError

from kafkalab.producer.errors import ProducerClosedError, TransactionStateError
from kafkalab.producer.tracing import Tracer


class State(Enum):
    """Where the producer is between two transactions, or in one."""

    UNINITIALIZED = "no producer id yet"
    INITIALIZING = "waiting for producer id and epoch"
    READY = "no transaction is open"
    IN_TRANSACTION = "a transaction is open"
    COMMITTING_TRANSACTION = "the transaction is being committed"
    ABORTING_TRANSACTION = "the transaction is being aborted"
    ABORTABLE_ERROR = "the transaction failed"
    FATAL_ERROR = "this producer cannot go on"


INIT, BEGIN, SEND = "init_transactions", "begin_transaction", "send"
OFFSETS, COMMIT, ABORT = "send_offsets_to_transaction", "commit_transaction", "abort_transaction"
VERBS = (INIT, BEGIN, SEND, OFFSETS, COMMIT, ABORT)
DONE, RENEW, FAILED, FATAL = "done", "done, needs a new epoch", "error", "fatal error"

_FATAL = {FATAL: State.FATAL_ERROR}
TRANSITIONS: dict[State, dict[str, State]] = {
    State.UNINITIALIZED: {INIT: State.INITIALIZING} | _FATAL,
    State.INITIALIZING: {DONE: State.READY, FAILED: State.UNINITIALIZED} | _FATAL,
    State.READY: {BEGIN: State.IN_TRANSACTION} | _FATAL,
    State.IN_TRANSACTION: dict.fromkeys((SEND, OFFSETS), State.IN_TRANSACTION)
    | {COMMIT: State.COMMITTING_TRANSACTION, ABORT: State.ABORTING_TRANSACTION}
    | {FAILED: State.ABORTABLE_ERROR}
    | _FATAL,
    State.COMMITTING_TRANSACTION: {DONE: State.READY, RENEW: State.INITIALIZING}
    | {FAILED: State.ABORTABLE_ERROR}
    | _FATAL,
    State.ABORTING_TRANSACTION: {DONE: State.READY, RENEW: State.INITIALIZING} | _FATAL,
    State.ABORTABLE_ERROR: {ABORT: State.ABORTING_TRANSACTION} | _FATAL,
    State.FATAL_ERROR: {},
}
"""State -> verb or event -> next state."""

BUSY = {State.INITIALIZING, State.COMMITTING_TRANSACTION, State.ABORTING_TRANSACTION}
SENDING = {State.IN_TRANSACTION, State.COMMITTING_TRANSACTION}
REFUSING = {State.ABORTING_TRANSACTION, State.ABORTABLE_ERROR, State.FATAL_ERROR}
OPEN = (SENDING | REFUSING) - {State.FATAL_ERROR}


class Life:
    """The state, what went wrong, and those who wait for it to change."""

    def __init__(self, max_block_ms: float, trace: Tracer | None = None) -> None:
        self.state = State.UNINITIALIZED
        self.error: BaseException | None = None
        """What went wrong in this transaction, or for good."""
        self.changed = threading.Condition(threading.RLock())
        """Guards all this, and tells of its changes."""
        self.closing = False
        self.why_waiting: Callable[[], object] = lambda: "no answer"  # for messages
        self.io_thread = 0
        self._max_block_ms = max_block_ms
        self._trace = trace
        self._owed: str | None = None  # a verb whose outcome nobody has been told yet
        self._ended: BaseException | None = None

    def check(self, verb: str) -> None:
        """Raise unless the state allows `verb` and no other verb is owed its outcome."""
        if self.state is State.FATAL_ERROR and self.error is not None:
            raise self.error
        if self.closing:
            raise ProducerClosedError(f"{verb}(): the producer is closed; make a new one")
        if self._owed is None and verb in TRANSITIONS[self.state]:
            return
        allowed = ", ".join(f"{each}()" for each in VERBS if each in TRANSITIONS[self.state])
        if self._owed is not None:
            allowed = f"{self._owed}() again, if it ran out of time"
        state = f"{self.state.name} ({self.state.value}{f': {self.error!r}' if self.error else ''})"
        raise TransactionStateError(
            f"{verb}() is out of turn in state {state}; allowed: {allowed or 'nothing until it is over'}"
        ) from self.error

    def move(self, event: str, error: BaseException | None = None) -> bool:
        """Follow the table; return False, and change nothing, if the state has no place for `event`."""
        with self.changed:
            before, after = self.state, TRANSITIONS[self.state].get(event)
            if after is None:
                return False
            if after is not State.ABORTING_TRANSACTION:  # which remembers why
                self.error = error
            self.state = after
            if self._trace is not None:
                self._trace("transaction_state", event=event, before=before.name, after=after.name)
            self.changed.notify_all()
        return True

    def perform(
        self, verb: str, wakeup: Callable[[], object], flushing: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Start what `verb` asks for, or join it, and wait until it is over; raises what went wrong."""
        with self.changed:
            if self._owed != verb:
                self.check(verb)
            self._owed = verb
            self.move(verb)
        wakeup()
        with flushing():
            self.wait(verb, lambda: self.state not in BUSY)
        with self.changed:
            self._owed = None
            if self.state is not State.READY and self.error is not None:
                raise self.error

    def wait(self, verb: str, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, up to max_block_ms."""
        if threading.get_ident() == self.io_thread:
            raise RuntimeError(f"{verb}() in a callback waits for itself: call it on another thread")
        with self.changed:
            limit = self._max_block_ms
            self.changed.wait_for(lambda: condition() or self._ended is not None, limit / 1000)
            if condition():
                return
        if self._ended is not None:
            raise self._ended
        why = self.why_waiting()
        raise KafkaTimeoutError(f"{verb}() is not done after max_block_ms={limit:g} ({why}): call it again")

    def end(self, error: BaseException) -> None:
        """Send everybody who waits away with `error`."""
        with self.changed:
            self._ended = error
            self.changed.notify_all()
