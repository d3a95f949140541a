"""What a transactional producer can be asked to do: its states, the verbs they allow, and when they are over.

`TRANSITIONS` is the whole state machine: the verbs that each state allows, and what else may happen in
it. docs/transactions.md shows it as a picture, drawn from the table. (Java: `TransactionManager.State`.)

Rules
- A verb is called on the application's threads and waits for max_block_ms. One that ran out of time, or was
  interrupted, goes on in the background, and has to be called again before any other: it then waits for
  the same operation.
- Out of turn, a verb raises TransactionStateError and changes nothing.

Leaves out: what is done in a state; that is transactions.py.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import Enum

from kafka.errors import KafkaTimeoutError

from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import ProducerClosedError, TransactionStateError
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.tracing import Tracer
from kafkalab.producer.transaction_requests import Group, OffsetCommit, Offsets, as_group


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

_ENDED = {DONE: State.READY, RENEW: State.INITIALIZING}
_STEPS: dict[State, dict[str, State]] = {
    State.UNINITIALIZED: {INIT: State.INITIALIZING},
    State.INITIALIZING: {DONE: State.READY, FAILED: State.UNINITIALIZED},
    State.READY: {BEGIN: State.IN_TRANSACTION},
    State.IN_TRANSACTION: {SEND: State.IN_TRANSACTION, OFFSETS: State.IN_TRANSACTION}
    | {COMMIT: State.COMMITTING_TRANSACTION, ABORT: State.ABORTING_TRANSACTION}
    | {FAILED: State.ABORTABLE_ERROR},
    State.COMMITTING_TRANSACTION: _ENDED | {FAILED: State.ABORTABLE_ERROR},
    State.ABORTING_TRANSACTION: _ENDED,
    State.ABORTABLE_ERROR: {ABORT: State.ABORTING_TRANSACTION},
}
TRANSITIONS = {state: steps | {FATAL: State.FATAL_ERROR} for state, steps in _STEPS.items()}
TRANSITIONS[State.FATAL_ERROR] = {}
"""State -> verb or event -> next state."""

ENDING = {State.COMMITTING_TRANSACTION, State.ABORTING_TRANSACTION}
BUSY = ENDING | {State.INITIALIZING}
SENDING = {State.IN_TRANSACTION, State.COMMITTING_TRANSACTION}
REFUSING = {State.ABORTING_TRANSACTION, State.ABORTABLE_ERROR, State.FATAL_ERROR}
OPEN = (SENDING | REFUSING) - {State.FATAL_ERROR}


class Verbs(Idempotence):
    """The state, what the application may do in it, and what else changes it."""

    def __init__(self, config: ProducerConfig, trace: Tracer | None = None) -> None:
        super().__init__(config)
        self.attach(lambda: None, lambda: (), nullcontext)  # the Sender has better ones
        self.state = State.UNINITIALIZED
        self.error: BaseException | None = None
        """What went wrong in this transaction, or for good."""
        self.changed = threading.Condition(threading.RLock())
        """Guards all this, and tells of its changes."""
        self._trace = trace
        self._offsets: deque[OffsetCommit] = deque()
        self._io_thread = 0
        self._closing = False
        self._owed: str | None = None  # a verb whose outcome nobody has been told yet
        self._ended: BaseException | None = None

    def attach(
        self,
        wakeup: Callable[[], object],
        incomplete: Callable[[], Sequence[ProducerBatch]],
        flushing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Learn how to reach the I/O thread and the batches."""
        self._wakeup, self._incomplete, self._flushing = wakeup, incomplete, flushing

    # --- the verbs, on the application's threads -------------------------------------------------

    def init_transactions(self) -> None:
        """Get the producer id and the next epoch; fence older producers, abort what they left open.

        Like every verb, raises TransactionStateError out of turn, KafkaTimeoutError after max_block_ms
        (then call it again), ProducerClosedError, and what a broker refused it with.
        """
        self._perform(INIT)

    def begin_transaction(self) -> None:
        """Open a transaction; no broker is asked."""
        with self.changed:
            self._check(BEGIN)
            self.move(BEGIN)

    def check_send(self) -> None:
        """Raise TransactionStateError unless a transaction is open; for each record, so cheap."""
        if self.state is not State.IN_TRANSACTION:
            self._check(SEND)

    def note_failure(self, error: BaseException) -> None:
        """Note that a record was not even accepted: a transaction without it must not be committed."""
        self.move(FAILED, error)

    def send_offsets_to_transaction(self, offsets: Offsets, group_metadata: Group) -> None:
        """Let the group's offsets (the next record to read) become valid with this transaction (KIP-447).

        `group_metadata` of a consumer lets the broker refuse one that lost its partitions; a group's name
        does not. Raises ValueError for offsets or a group that cannot be.
        """
        commit = OffsetCommit(offsets, as_group(group_metadata))
        with self.changed:
            self._check(OFFSETS)
            if commit.left:
                self._offsets.append(commit)
        self._wakeup()
        self._wait(OFFSETS, lambda: not commit.left or commit.error is not None)
        if commit.error is not None:
            raise commit.error

    def commit_transaction(self) -> None:
        """Send what was accepted, wait for every outcome, commit; raises the error of a batch that failed."""
        self._perform(COMMIT)

    def abort_transaction(self) -> None:
        """Give up the transaction; what has not left fails with TransactionAbortedError."""
        self._perform(ABORT)

    def close(self) -> None:
        """Take no more verbs; abort what is open. A commit that has begun is finished."""
        self._closing = True
        self.move(ABORT)

    def ended(self, error: BaseException) -> None:
        """Send everybody who waits away with `error`."""
        with self.changed:
            self._ended = error
            self.changed.notify_all()

    # --- in turn, and over ----------------------------------------------------------------------------

    def move(self, event: str, error: BaseException | None = None) -> None:
        """Follow the table; change nothing if the state has no place for `event`."""
        with self.changed:
            before, after = self.state, TRANSITIONS[self.state].get(event)
            if after is None:
                return
            if after is not State.ABORTING_TRANSACTION:  # which remembers why
                self.error = error
            self.state = after
            if self._trace is not None:
                self._trace("transaction_state", event=event, before=before.name, after=after.name)
            self.changed.notify_all()

    def _check(self, verb: str) -> None:
        """Raise unless the state allows `verb` and no other verb is owed its outcome."""
        if self.state is State.FATAL_ERROR and self.error is not None:
            raise self.error
        if self._closing:
            raise ProducerClosedError(f"{verb}(): the producer is closed; make a new one")
        if self._owed is None and verb in TRANSITIONS[self.state]:
            return
        allowed = ", ".join(f"{each}()" for each in VERBS if each in TRANSITIONS[self.state])
        if self._owed is not None:
            allowed = f"{self._owed}() again, if it ran out of time"
        state = f"{self.state.name} ({self.state.value}{f': {self.error!r}' if self.error else ''})"
        problem = (
            f"{verb}() is out of turn in state {state}; allowed: {allowed or 'nothing until it is over'}"
        )
        raise TransactionStateError(problem) from self.error

    def _perform(self, verb: str) -> None:
        """Start what `verb` asks for, or join it, and wait until it is over; raises what went wrong."""
        with self.changed:
            if self._owed != verb:
                self._check(verb)
            self._owed = verb
            self.move(verb)
        self._wakeup()
        with self._flushing():
            self._wait(verb, lambda: self.state not in BUSY)
        with self.changed:
            self._owed = None
            if self.state is not State.READY and self.error is not None:
                raise self.error

    def _wait(self, verb: str, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, up to max_block_ms."""
        if threading.get_ident() == self._io_thread:
            raise RuntimeError(f"{verb}() in a callback waits for itself: call it on another thread")
        limit = self._config.max_block_ms
        with self.changed:
            self.changed.wait_for(lambda: condition() or self._ended is not None, limit / 1000)
            if condition():
                return
        if self._ended is not None:
            raise self._ended
        why = self._why_waiting()
        raise KafkaTimeoutError(f"{verb}() is not done after max_block_ms={limit:g} ({why}): call it again")

    def _why_waiting(self) -> object:
        return "batches without an outcome" if self._incomplete() else "no answer"
