"""Chapter 10: all or nothing, the name and its epochs, offsets in a transaction, and what is allowed."""

from __future__ import annotations

import uuid
from typing import Any

from kafka import errors as kafka_errors

from kafkalab.course.teeth.mutants import shared
from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import coordinator, transaction_requests, transaction_states
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.coordinator import Verdict as Meaning
from kafkalab.producer.futures import Delivery
from kafkalab.producer.idempotence import Idempotence
from kafkalab.producer.ordering import Verdict
from kafkalab.producer.producer import Producer
from kafkalab.producer.transaction_requests import OffsetCommit
from kafkalab.producer.transaction_states import State, Verbs
from kafkalab.producer.transactions import TransactionManager

# --- all or nothing -------------------------------------------------------------------------------


@mutant("all or nothing", killer="4.4.3-atomic")
def abort_commits() -> None:
    """What is aborted is committed."""
    shared.end_every_transaction(committed=True)


@mutant("all or nothing", killer="4.4.3-atomic")
def commit_aborts() -> None:
    """What is committed is aborted."""
    shared.end_every_transaction(committed=False)


@mutant("all or nothing", killer="4.4.3-atomic")
def outside() -> None:
    """Batches do not say that they belong to a transaction."""
    around(TransactionManager, "leaves", lambda original, self, batch: Idempotence.leaves(self, batch))


@mutant("all or nothing", killer="4.4.3-atomic")
def abort_is_not_told() -> None:
    """An abort asks nobody: the transaction stays open."""

    def next_call(original: Any, self: Any) -> Any:
        if self.state is State.ABORTING_TRANSACTION:
            self._started = False
        return original(self)

    around(TransactionManager, "_next_call", next_call)


@mutant("all or nothing", killer="4.4.3-atomic")
def one_for_each() -> None:
    """Every record is a transaction of its own."""

    def send(original: Any, self: Any, *args: Any, **options: Any) -> Any:
        future = original(self, *args, **options)
        if self.config.transactional_id is not None:
            self.commit_transaction()
            self.begin_transaction()
        return future

    around(Producer, "send", send)


@mutant("all or nothing", killer="4.4.3-atomic")
def sent_twice() -> None:
    """Every record of a transaction is in it twice."""

    def send(original: Any, self: Any, topic: str, *args: Any, **options: Any) -> Any:
        future = original(self, topic, *args, **options)
        if self.config.transactional_id is not None:
            original(self, topic, *args, **options)
        return future

    around(Producer, "send", send)


# --- a name and its epochs ------------------------------------------------------------------------


@mutant("the name", killer="4.4.3-fencing")
def a_name_of_its_own() -> None:
    """Every producer adds something to its transactional.id."""

    def init(original: Any, self: Any, **settings: Any) -> None:
        if settings.get("transactional_id"):
            settings["transactional_id"] += uuid.uuid4().hex
        original(self, **settings)

    around(ProducerConfig, "__init__", init)


@mutant("the name", killer="4.4.3-fencing")
def refused_is_stored() -> None:
    """A record that is refused because of its epoch is acknowledged."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        old = isinstance(error, kafka_errors.InvalidProducerEpochError)
        return Verdict.ACKNOWLEDGE if old else original(self, batch, error)

    around(TransactionManager, "judge", judge)


@mutant("the name", killer="4.4.3-fenced-raises")
def fenced_is_fine() -> None:
    """A fenced producer's requests count as done."""

    def verdict(original: Any, api: str, error: Any) -> Any:
        fenced = isinstance(error, kafka_errors.ProducerFencedError)
        return Meaning.OK if fenced else original(api, error)

    around(coordinator, "verdict", verdict)


@mutant("the name", killer="4.4.3-fenced-raises")
def fenced_can_abort() -> None:
    """A fenced producer is told to abort, and goes on."""

    def move(original: Any, self: Any, event: str, error: Any = None) -> None:
        if event == transaction_states.FATAL:
            original(self, transaction_states.FAILED, error)
            original(self, transaction_states.DONE)
            return
        original(self, event, error)

    around(Verbs, "move", move)


@mutant("the name", killer="4.4.3-atomic")
def epoch_kept() -> None:
    """The new epoch in the answer to EndTxn is not taken."""

    def renew(original: Any, self: Any, producer_id: int, epoch: int) -> None:
        if self.state is State.INITIALIZING:
            original(self, producer_id, epoch)

    around(TransactionManager, "_renew", renew)


@mutant("the name", killer="4.4.3-atomic")
def numbers_go_on() -> None:
    """A new epoch does not begin at sequence 0."""

    def renew(original: Any, self: Any, producer_id: int, epoch: int) -> None:
        before = {target: line.next_sequence for target, line in self._lines.items()}
        original(self, producer_id, epoch)
        for target, line in self._lines.items():
            line.next_sequence = before[target]

    around(TransactionManager, "_renew", renew)


@mutant("the name", killer="4.4.3-epoch-per-session")
def asked_each_time() -> None:
    """After each transaction the producer asks for a new epoch."""

    def move(original: Any, self: Any, event: str, error: Any = None) -> None:
        renew = event == transaction_states.DONE and self.state in transaction_states.ENDING
        original(self, transaction_states.RENEW if renew else event, error)
        if renew:
            self._wakeup()

    around(Verbs, "move", move)


# --- offsets --------------------------------------------------------------------------------------


@mutant("offsets", killer="exercise step")
def offsets_forgotten() -> None:
    """Offsets are taken, and never sent."""
    around(Verbs, "send_offsets_to_transaction", lambda original, self, *args: None)


@mutant("offsets", killer="4.8.3-transactions")
def one_too_low() -> None:
    """The offset of the record before is sent."""

    def as_offset(original: Any, target: Any, offset: Any) -> Any:
        full = original(target, offset)
        return full._replace(offset=full.offset - 1)

    around(transaction_requests, "as_offset", as_offset)


@mutant("offsets", killer="4.8.3-transactions")
def one_too_high() -> None:
    """The offset after the next is sent."""

    def as_offset(original: Any, target: Any, offset: Any) -> Any:
        full = original(target, offset)
        return full._replace(offset=full.offset + 1)

    around(transaction_requests, "as_offset", as_offset)


@mutant("offsets", killer="exercise step")
def refusal_overlooked() -> None:
    """An offset that the group refuses counts as stored."""

    def on_offsets(original: Any, self: Any, commit: Any, response: Any, meaning: Any, error: Any) -> None:
        if meaning is Meaning.ABORT:
            commit.left.clear()
            meaning, error = Meaning.OK, None
        original(self, commit, response, meaning, error)

    around(TransactionManager, "_on_offsets", on_offsets)


@mutant("offsets", killer="exercise ending")
def refused_result_overlooked() -> None:
    """A record that failed does not spoil its transaction."""
    around(TransactionManager, "failed", lambda original, self, batch, error: None)


@mutant("offsets", killer="exercise step")
def settled_too_soon() -> None:
    """A group's offsets count as stored before they are sent."""

    def init(original: Any, self: Any, offsets: Any, group: Any) -> None:
        original(self, offsets, group)
        self.left.clear()

    around(OffsetCommit, "__init__", init)


# --- what is allowed, and what is taken back ------------------------------------------------------


@mutant("the rules", killer="4.4.3-needs-idempotence")
def switch_overlooked() -> None:
    """Beside a transactional.id, enable_idempotence=False is ignored."""
    _overlooked("enable_idempotence")


@mutant("the rules", killer="4.4.3-needs-idempotence")
def acks_overlooked() -> None:
    """Beside a transactional.id, acks are ignored."""
    _overlooked("acks")


@mutant("the rules", killer="4.4.3-needs-idempotence")
def retries_overlooked() -> None:
    """Beside a transactional.id, retries are ignored."""
    _overlooked("retries")


def _overlooked(name: str) -> None:
    def init(original: Any, self: Any, **settings: Any) -> None:
        if settings.get("transactional_id"):
            settings.pop(name, None)
        original(self, **settings)

    around(ProducerConfig, "__init__", init)


@mutant("the rules", killer="4.4.3-abort-unsent")
def abort_sends_first() -> None:
    """An abort sends what is waiting."""

    def abort(original: Any, self: Any) -> None:
        self.flush()
        original(self)

    around(Producer, "abort_transaction", abort)


@mutant("the rules", killer="4.4.3-abort-unsent")
def aborted_is_success() -> None:
    """A record that was not sent because of an abort ends well."""

    def fail(original: Any, self: Any, error: Any) -> None:
        aborted = isinstance(error, kafka_errors.TransactionAbortedError)
        self.acknowledge(None) if aborted else original(self, error)

    around(Delivery, "fail", fail)
