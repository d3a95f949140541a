"""Transactions: records of many partitions that become visible together, or never (KIP-98, KIP-890).

A coordinator keeps the transaction's state under the transactional.id, hands out the producer id and its
epoch, and in the end writes a marker into every partition touched: COMMIT or ABORT. Whoever initialises
the same id later gets the next epoch, and the one before is fenced. (Java: `TransactionManager`.)

The verbs are called on the application's threads, and change the state (transaction_states.py). Everything
that talks happens in `step`, on the I/O thread, which derives the next request from the state alone.

Rules
- A batch that fails makes the transaction unfit to commit: it has to be aborted, then all goes on.
- While aborting, batches that never left are refused; those that did are sent again until their outcome is
  clear, because the next sequence number depends on it.
- An announcement whose answer was lost is repeated even while aborting: the coordinator may have taken it.
- The end is asked for when no batch is without an outcome; a transaction in which nothing left needs none.
- Generation 2 gets a new epoch with each end, and numbers from 0; generation 1 numbers on, and asks for a
  new epoch only after a failure (KIP-360). A producer changes generation only together with its epoch.

Leaves out: finding coordinators, retries and what each error means (coordinator.py); two-phase commit.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from kafka import errors as kafka_errors
from kafka.protocol.producer import AddOffsetsToTxnRequest, EndTxnRequest, InitProducerIdRequest

from kafkalab.producer import transaction_requests as requests
from kafkalab.producer import transaction_states as states
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.coordinator import GROUP, TRANSACTION, Call, Courier
from kafkalab.producer.coordinator import Verdict as Meaning
from kafkalab.producer.errors import TransactionStateError
from kafkalab.producer.idempotence import Idempotence, Line
from kafkalab.producer.ordering import Client, OneAtATime, Ordering, Verdict
from kafkalab.producer.record import TopicPartition
from kafkalab.producer.tracing import Tracer
from kafkalab.producer.transaction_requests import OffsetCommit
from kafkalab.producer.transaction_states import State, Verbs

_FATAL_FOR_A_BATCH = {31, 35, 49, 53, 90}  # not authorized, versions, not our id, fenced


class TransactionManager(Verbs):
    """The transactions of one producer.

    `trace` is told of `transaction_state`, `coordinator_request` and `coordinator_answer`.
    """

    def __init__(self, config: ProducerConfig, trace: Tracer | None = None) -> None:
        super().__init__(config, trace)
        self.transactional_id = config.transactional_id
        self.generation = 0
        """Of the protocol: 1, or 2 from transaction.version 2 on; 0 before it is known."""
        self._offered = 0  # the generation that the cluster would speak now
        self._courier = Courier(config, trace)
        self._started = False  # whether the coordinator may know of this transaction
        self._unclear: Call | None = None  # generation 1: an announcement that has no answer yet
        self._wanted: set[TopicPartition] = set()  # generation 1: partitions to be added, and added
        self._added: set[TopicPartition] = set()

    # --- what to ask the coordinators, on the I/O thread ---------------------------------------------

    def step(self, client: Client, now: float) -> float:
        """Ask for what the state needs next, one request at a time."""
        self._io_thread = threading.get_ident()
        if self._courier.busy:
            return float("inf")
        self._offered = 2 if client.transaction_version >= 2 else 1
        call = self._next_call()
        return float("inf") if call is None else self._courier.carry(call, client, now)

    def _next_call(self) -> Call | None:
        """Return what the state asks for now; a transaction that nobody knows of ends here."""
        if self._unclear is not None:
            return self._unclear
        if self.state in states.SENDING and self._wanted:
            targets = set(self._wanted)
            request = requests.add_partitions(self._identity, targets)
            return self._announce(request, partial(self._on_added, targets))
        if (commit := self._next_offsets()) is not None:
            return self._commit_offsets(commit)
        if self.state in states.ENDING and not self._incomplete():
            if self._started:
                committed = self.state is State.COMMITTING_TRANSACTION
                newest = requests.NEWEST[self.generation]
                end = EndTxnRequest(**self._identity, committed=committed, max_version=newest)
                return self._call(end, self._on_end)
            self._on_end(None)
        if self.state is State.INITIALIZING:
            timeout = self._config.transaction_timeout_ms
            init = InitProducerIdRequest(**self._identity, transaction_timeout_ms=timeout)
            return self._call(init, self._on_initialized)
        return None

    def _next_offsets(self) -> OffsetCommit | None:
        with self.changed:
            if not self._offsets or self.state in states.SENDING:
                return self._offsets[0] if self._offsets else None
            for commit in self._offsets:
                commit.error = self.error or kafka_errors.TransactionAbortedError()
            self._offsets.clear()
            self.changed.notify_all()
            return None

    def _commit_offsets(self, commit: OffsetCommit) -> Call:
        group = str(commit.group.group_id)
        if self.generation == 1 and not commit.announced:
            announcement = AddOffsetsToTxnRequest(**self._identity, group_id=group)
            return self._announce(announcement, partial(self._on_announced, commit))
        self._started = True
        request = requests.commit_offsets(self._identity, commit, self.generation)
        return Call(request, (GROUP, group), partial(self._on_offsets, commit))

    def _announce(self, request: Any, done: Callable[[Any], None]) -> Call:
        self._unclear = self._call(request, done)
        return self._unclear

    def _call(self, request: Any, done: Callable[[Any], None]) -> Call:
        return Call(request, (TRANSACTION, str(self.transactional_id)), partial(self._on_answer, done))

    @property
    def _identity(self) -> requests.Identity:
        number = {"producer_id": self.producer_id, "producer_epoch": self.epoch}
        return {"transactional_id": self.transactional_id, **number}

    def _why_waiting(self) -> object:
        return self._courier.trouble or super()._why_waiting()

    # --- what they answered -------------------------------------------------------------------------

    def _on_answer(self, done: Callable[[Any], None], response: Any, meaning: Meaning, error: Any) -> None:
        if meaning in {Meaning.RETRY, Meaning.MOVED}:
            return
        self._unclear = None
        if meaning is Meaning.OK:
            done(response)
        else:
            unfinished = done == self._on_end and self.state is State.ABORTING_TRANSACTION
            fatal = meaning is Meaning.FATAL or unfinished  # there is nothing left to try
            self.move(states.FATAL if fatal else states.FAILED, error)

    def _on_initialized(self, response: Any) -> None:
        self.generation = self._offered
        self.produce_max_version = 12 if self.generation == 2 else 11
        self._renew(response.producer_id, response.producer_epoch)
        self.move(states.DONE)

    def _on_added(self, targets: set[TopicPartition], response: Any) -> None:
        self._started = True
        self._added |= targets
        self._wanted -= targets

    def _on_announced(self, commit: OffsetCommit, response: Any) -> None:
        self._started = commit.announced = True

    def _on_offsets(self, commit: OffsetCommit, response: Any, meaning: Meaning, error: Any) -> None:
        with self.changed:
            if response is not None:
                commit.settle(response)
            if not commit.left and commit in self._offsets:
                self._offsets.remove(commit)
            self.changed.notify_all()
        if meaning is Meaning.OK and commit.left:
            meaning, error = Meaning.ABORT, kafka_errors.UnknownError(f"no answer for {list(commit.left)}")
        self._on_answer(lambda _: None, response, meaning, error)

    def _on_end(self, response: Any) -> None:
        """Close the books; `response` is None if the coordinator never heard of the transaction."""
        broken = self.error is not None or any(line.broken for line in self._lines.values())
        needs_epoch = self.generation != self._offered or (self.generation == 1 and broken)
        if response is not None and self.generation == 2:
            self._renew(response.producer_id, response.producer_epoch)
        self._started = False
        self._wanted.clear()
        self._added.clear()
        self.move(states.RENEW if needs_epoch else states.DONE)

    def _renew(self, producer_id: int, epoch: int) -> None:
        """Let every partition be numbered from 0, under `epoch`; nothing is out."""
        if producer_id != self.producer_id:
            self._lines.clear()  # no leader knows the new id
        self.producer_id, self.epoch = producer_id, epoch
        for line in self._lines.values():
            line.epoch, line.next_sequence, line.broken = epoch, 0, False

    # --- the Sender's questions ----------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether no transaction is open."""
        return self.state not in states.OPEN

    @property
    def refusing(self) -> bool:
        """Whether batches that have not left never will."""
        return self.state in states.REFUSING

    def refusal(self, batch: ProducerBatch) -> BaseException | None:
        """Return the fatal error, or TransactionAbortedError for a batch that has not left."""
        if self.state is State.FATAL_ERROR:
            return self.error
        if batch.stamp is not None or self.state not in states.REFUSING:
            return None
        refused: BaseException = kafka_errors.TransactionAbortedError("aborted before this record was sent")
        refused.__cause__ = self.error
        return refused

    def admits(self, batch: ProducerBatch) -> bool:
        """Tell whether it may go out; in generation 1, its partition has to be added first."""
        if batch.stamp is not None:
            return super().admits(batch)
        if self.state not in states.SENDING:
            return False
        if self.generation == 2 or batch.target in self._added:
            return super().admits(batch)
        if batch.target not in self._wanted:
            self._wanted.add(batch.target)
            self._wakeup()  # `step` came before us in this turn
        return False

    def leaves(self, batch: ProducerBatch) -> None:
        """Give it its number, and mark it as part of a transaction."""
        super().leaves(batch)
        if batch.stamp is not None and not batch.stamp.transactional:
            batch.stamp = batch.stamp._replace(transactional=True)
            self._started = True

    def judge(self, batch: ProducerBatch, error: BaseException) -> Verdict:
        """Tell what `error` means; a missing number, or an old epoch, is a reason to abort."""
        meaning = super().judge(batch, error)
        old = isinstance(error, kafka_errors.InvalidProducerEpochError)
        return Verdict.FAIL if old or meaning is Verdict.RENUMBER else meaning

    def failed(self, batch: ProducerBatch, error: BaseException) -> None:
        """Note that the transaction cannot be committed any more."""
        super().failed(batch, error)
        fatal = getattr(error, "errno", None) in _FATAL_FOR_A_BATCH
        self.move(states.FATAL if fatal else states.FAILED, error)
        self._wakeup()  # `step` may have waited for this outcome, and came before us in this turn

    def _mend(self, line: Line) -> None:
        """Leave it broken: the epoch is the coordinator's."""


def transactions_of(ordering: Ordering) -> TransactionManager:
    """Return `ordering` if it has transactions; raises TransactionStateError without transactional_id."""
    if not isinstance(ordering, TransactionManager):
        raise TransactionStateError('no transactions: give it a name of its own, transactional_id="..."')
    return ordering


def ordering_of(config: ProducerConfig, trace: Tracer | None = None) -> Ordering:
    """Return who decides on the order of batches, for these settings."""
    if config.transactional_id is not None:
        return TransactionManager(config, trace)
    if config.enable_idempotence:
        return Idempotence(config)
    return OneAtATime() if config.max_in_flight_requests_per_connection == 1 else Ordering()
