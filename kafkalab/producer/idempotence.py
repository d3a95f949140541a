"""Idempotence: number the batches, so that a broker recognises one it has already (KIP-98, KIP-360).

A broker gives the producer an id; every batch carries that id, an epoch and the sequence number of its
first record, counted per partition. The leader stores a batch only if its sequence is the next one. It
remembers the last five batches and acknowledges a repeated one with its first offset, without storing it
again. (Java: `TransactionManager`, `TxnPartitionMap`.)

Each partition is a `Line` of batches that are out: sent, and not settled yet.

    NEW ── first acknowledgement ──▶ PROVEN
     │                                  │  one was given up, or refused as out of order
     └──────────────▶ BROKEN ◀──────────┘
                        │ all that is out has settled: next epoch, sequences from 0
                        └──▶ NEW, or PROVEN if ever acknowledged

Rules
- A broker accepts any first sequence of a producer id it does not know. So until the first acknowledgement
  one batch is out: if it is refused, none behind it can take its place.
- A batch that was sent goes out again only as the oldest that is out; new ones may follow it.
- Out of order, and not the oldest: it was sent behind one that was refused, and has to wait for that one.
- Out of order, and the oldest: it is not in the log. If every earlier try was refused, too, it is numbered
  anew; if one of them got no answer it may yet arrive, and a new number would store it twice: it fails.
- Once a number is surely missing, those behind it are void: no leader will ever store them. They are
  numbered anew, whatever became of their tries.
- An epoch is a line's own, because leaders check it partition by partition: the others go on undisturbed.

Leaves out: transactions, whose epoch is the coordinator's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import Enum
from typing import Any

from kafka import errors as kafka_errors
from kafka.protocol.producer import InitProducerIdRequest

from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.batch import BatchState, ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import Remedy, maybe_stored, remedy
from kafkalab.producer.ordering import Client, Ordering, Verdict
from kafkalab.producer.record import TopicPartition
from kafkalab.producer.record_batch import ProducerState

MAX_SEQUENCE = 2**31 - 1
MAX_EPOCH = 2**15 - 1
_NO_TRANSACTION = 2**31 - 1  # transaction_timeout_ms of a producer that has none
_NOT_NEXT = (
    kafka_errors.OutOfOrderSequenceNumberError,
    kafka_errors.UnknownProducerIdError,
    kafka_errors.InvalidProducerEpochError,
)


class LineState(Enum):
    """What a partition's leader is known to know of this producer."""

    NEW = "nothing acknowledged yet"
    PROVEN = "it knows the producer id"
    BROKEN = "a sequence number is missing"


MOST_OUT = {LineState.NEW: 1, LineState.PROVEN: 5, LineState.BROKEN: 0}
"""How many batches may be out for another new one to leave; five are what a broker remembers."""


class Line:
    """The batches of one partition that are out, oldest first, and the number of the next."""

    def __init__(self, producer_id: int, epoch: int) -> None:
        self.producer_id = producer_id
        self.epoch = epoch
        self.next_sequence = 0
        self.out: list[ProducerBatch] = []
        self.known = False
        self.broken = False

    @property
    def state(self) -> LineState:
        """Where the line is; see the picture above."""
        if self.broken:
            return LineState.BROKEN
        return LineState.PROVEN if self.known else LineState.NEW


class Idempotence(Ordering):
    """Every record once and in order, per partition and per life of this producer."""

    def __init__(self, config: ProducerConfig) -> None:
        self._config = config
        self._backoff = ExponentialBackoff(config.retry_backoff_ms, config.retry_backoff_max_ms)
        self._lines: dict[TopicPartition, Line] = {}
        self._asking = False
        self._failures = 0
        self._not_before = 0.0
        self._fatal: BaseException | None = None
        self.producer_id = -1
        self.epoch = -1

    # --- the producer id --------------------------------------------------------------------------

    def step(self, client: Client, now: float) -> float:
        """Ask any broker for a producer id, if there is none."""
        if self._asking or self._fatal or self.producer_id >= 0:
            return float("inf")
        if now < self._not_before:
            return self._not_before - now
        node = client.any_node(now)
        if node is not None:
            self._asking = True
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=_NO_TRANSACTION)
            client.send(node, request, self._on_producer_id, now, self._config.request_timeout_ms / 1000)
        return float("inf")

    def _on_producer_id(self, response: Any, error: BaseException | None) -> None:
        self._asking = False
        if error is None and response.error_code:
            error = kafka_errors.for_code(response.error_code)()
        if error is None:
            self._failures = 0
            self.producer_id, self.epoch = response.producer_id, response.producer_epoch
        elif remedy(error) in {Remedy.RETRY, Remedy.REFRESH}:
            self._failures += 1
            self._not_before = time.monotonic() + self._backoff.seconds(self._failures)
        else:
            self._fatal = error

    @property
    def refusing(self) -> bool:
        """Whether there will never be a producer id."""
        return self._fatal is not None

    def refusal(self, batch: ProducerBatch) -> BaseException | None:
        """Return why there will never be a producer id."""
        return self._fatal

    # --- a batch's way ----------------------------------------------------------------------------

    def admits(self, batch: ProducerBatch) -> bool:
        """Tell whether it may go out: new ones while there is room, sent ones as the oldest that is out."""
        if batch.stamp is not None:
            return self._line(batch).out[0] is batch
        if self.producer_id < 0:
            return False
        line = self._line(batch)
        return len(line.out) < MOST_OUT[line.state]

    def leaves(self, batch: ProducerBatch) -> None:
        """Give it the next number of its partition, unless it has one."""
        if batch.stamp is None:
            line = self._line(batch)
            batch.stamp = ProducerState(line.producer_id, line.epoch, line.next_sequence)
            line.next_sequence = sequence_after(line.next_sequence, len(batch))
            line.out.append(batch)

    def judge(self, batch: ProducerBatch, error: BaseException) -> Verdict:
        """Tell what `error` means; see the rules above."""
        if isinstance(error, kafka_errors.DuplicateSequenceNumberError):
            return Verdict.ACKNOWLEDGE
        batch.maybe_stored |= maybe_stored(error)
        not_next = isinstance(error, _NOT_NEXT)
        if batch.void and (not_next or super().judge(batch, error) is Verdict.RETRY):
            return Verdict.RENUMBER
        if not not_next:
            return super().judge(batch, error)
        if self._line(batch).out[0] is not batch:
            return Verdict.RETRY
        return Verdict.FAIL if batch.maybe_stored else Verdict.RENUMBER

    def acknowledged(self, batch: ProducerBatch) -> None:
        """Take it out of its line; the leader knows our producer id from now on."""
        line = self._line(batch)
        line.known = True
        line.out.remove(batch)
        self._mend(line)

    def returned(self, batch: ProducerBatch, *, renumber: bool) -> None:
        """Keep its place in the line, or take away its number, which is then missing."""
        if renumber:
            self._break(batch, surely_missing=True)
            _forget_number(batch)

    def failed(self, batch: ProducerBatch, error: BaseException) -> None:
        """Take it out of its line, where its number is missing from now on."""
        if batch.stamp is not None:
            batch.maybe_stored |= batch.state is BatchState.IN_FLIGHT and maybe_stored(error)
            self._break(batch, surely_missing=batch.void or not batch.maybe_stored)

    def split(self, batch: ProducerBatch, parts: Sequence[ProducerBatch]) -> None:
        """Let the parts share its numbers and its past, and take its place; void numbers are given up."""
        if batch.stamp is None:
            return
        line, sequence = self._line(batch), batch.stamp.base_sequence
        heirs = () if batch.void else parts
        for part in heirs:
            part.stamp, part.maybe_stored = batch.stamp._replace(base_sequence=sequence), batch.maybe_stored
            sequence = sequence_after(sequence, len(part))
        place = line.out.index(batch)
        line.out[place : place + 1] = heirs
        self._mend(line)

    # --- lines ------------------------------------------------------------------------------------

    def _line(self, batch: ProducerBatch) -> Line:
        line = self._lines.get(batch.target)
        if line is None:
            line = self._lines[batch.target] = Line(self.producer_id, self.epoch)
        return line

    def _break(self, batch: ProducerBatch, *, surely_missing: bool) -> None:
        line = self._line(batch)
        place = line.out.index(batch)
        del line.out[place]
        line.broken = True
        if surely_missing:
            for behind in line.out[place:]:
                behind.void = True
                if behind.state is BatchState.WAITING:  # in no broker's hands: it need not be refused first
                    line.out.remove(behind)
                    _forget_number(behind)
        self._mend(line)

    def _mend(self, line: Line) -> None:
        """Begin the line's next epoch, once nothing of the old one is out."""
        if not line.broken or line.out:
            return
        if line.epoch < MAX_EPOCH:
            line.epoch, line.next_sequence, line.broken = line.epoch + 1, 0, False
        else:  # the last epoch of this producer id: a new id, for this line and those to come
            self._lines = {target: other for target, other in self._lines.items() if other is not line}
            self.producer_id = -1


def _forget_number(batch: ProducerBatch) -> None:
    batch.stamp = None
    batch.maybe_stored = batch.void = False


def sequence_after(sequence: int, records: int) -> int:
    """Return the number `records` later; after 2147483647 comes 0 (Java: `incrementSequence`)."""
    return (sequence + records) % (MAX_SEQUENCE + 1)
