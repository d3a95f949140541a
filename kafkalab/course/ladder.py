"""The ladder of own parts: what a learner wrote in earlier chapters, put together into one producer.

    rungs = ladder(lab.progress)      # a table: which part is yours, which the course's
    rungs.options                     # Producer(**rungs.options, ...)
    carry_over(cluster, topic, rungs.part("step"))

Rules
- A part is the learner's if its check has passed and its text is kept (answers.py); else the course's own
  stands in, and the table says so. What cannot be used is named with the reason, never passed over.
- Sequence numbers and departures are two rules of one ordering: what the exercises asked for alone has to
  work together here.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from kafkalab.cluster.polling import wait_until
from kafkalab.course import answers, exercise
from kafkalab.course.cards import Shown
from kafkalab.course.exercises.ch05_linger_rule import RuledAccumulator
from kafkalab.course.exercises.ch08_numbering import Numbered
from kafkalab.course.markup import html
from kafkalab.course.progress import Progress
from kafkalab.course.views.tables import table
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer, ProducerBatch
from kafkalab.producer.idempotence import Idempotence

RUNGS = (
    ("02", "partitioner", "where a record goes"),
    ("04", "order", "which batch may leave"),
    ("05", "linger_rule", "when a batch leaves"),
    ("08", "numbering", "which number it has"),
    ("10", "step", "what counts together"),
)
SLICE = 60
PATIENCE_S = 30.0


class Rung(NamedTuple):
    """One part; `trouble` says why it is not the learner's although there is a file."""

    chapter: str
    name: str
    what: str
    part: Any
    yours: bool
    trouble: str = ""


@dataclass(frozen=True)
class Ladder:
    """All parts; shown as a table."""

    rungs: tuple[Rung, ...]
    trouble: list[Exception] = field(default_factory=list)
    """What the parts of the ordering raised while a producer ran with them."""

    def part(self, name: str) -> Any:
        """Return the object in use for an exercise."""
        return next(each.part for each in self.rungs if each.name == name)

    @property
    def yours(self) -> list[str]:
        """The names of the parts that are the learner's."""
        return [each.name for each in self.rungs if each.yours]

    @property
    def options(self) -> dict[str, Any]:
        """What Producer() needs to run with these parts."""

        def own_ordering(config: Any, _: Any) -> OwnOrdering:
            return OwnOrdering(config, self.part("numbering"), self.part("order"), self.trouble)

        return {
            "partitioner": self.part("partitioner"),
            "accumulator": type("OwnAccumulator", (RuledAccumulator,), {"rule": self.part("linger_rule")}),
            "ordering": own_ordering,
        }

    def __repr__(self) -> str:
        return self._table().text

    def _repr_html_(self) -> str:
        return html(self._table().markup)

    def _table(self) -> Shown:
        rows = [
            (each.chapter, each.name, each.what, "yours" if each.yours else "the course's", each.trouble)
            for each in self.rungs
        ]
        troubled = any(each.trouble for each in self.rungs)
        head = ("Chapter", "Exercise", "It decides", "In use", "Why not yours")
        width = 5 if troubled else 4
        told = f"{len(self.yours)} of {len(self.rungs)} parts are yours"
        return table(told, head[:width], [row[:width] for row in rows])


def ladder(progress: Progress) -> Ladder:
    """Return the learner's parts, and the course's where there is none."""
    return Ladder(tuple(_rung(progress, *each) for each in RUNGS))


def _rung(progress: Progress, chapter: str, name: str, what: str) -> Rung:
    kept, trouble = answers.load(progress, chapter, name)
    part = exercise.find(chapter, name).solution() if kept is None else kept
    return Rung(chapter, name, what, part, yours=kept is not None, trouble=trouble)


class OwnOrdering(Idempotence):
    """Idempotence whose numbers, and departures, are for two rules to say."""

    def __init__(self, config: Any, numbering: Any, order: Any, trouble: list[Exception]) -> None:
        super().__init__(config)
        self._numbering, self._order = numbering, order
        self._history: list[Numbered] = []
        self._epochs: dict[Any, int] = {}
        self._away: dict[ProducerBatch, None] = {}
        self._trouble = trouble

    def admits(self, batch: ProducerBatch) -> bool:
        """Ask idempotence, then the rule."""
        if not super().admits(batch):
            return False
        try:
            return bool(self._order.may_leave(batch, list(self._away)))
        except Exception as error:  # noqa: BLE001 - the I/O thread must survive a learner's code
            self._trouble.append(error)
            return True

    def leaves(self, batch: ProducerBatch) -> None:
        """Let the rule number a new batch; in a new epoch a partition has no history."""
        self._away[batch] = None
        if batch.stamp is None:
            line, target = self._line(batch), batch.target
            if self._epochs.setdefault(target, line.epoch) != line.epoch:
                self._epochs[target] = line.epoch
                self._history = [each for each in self._history if each.target != target]
            try:
                line.next_sequence = int(self._numbering.first_sequence(target, list(self._history)))
            except Exception as error:  # noqa: BLE001 - the same
                self._trouble.append(error)
            self._history.append(Numbered(target, line.next_sequence, len(batch)))
        super().leaves(batch)

    def acknowledged(self, batch: ProducerBatch) -> None:
        """Note that it is back."""
        self._away.pop(batch, None)
        super().acknowledged(batch)

    def returned(self, batch: ProducerBatch, *, renumber: bool) -> None:
        """Note that it is back, and queued again."""
        self._away.pop(batch, None)
        super().returned(batch, renumber=renumber)

    def failed(self, batch: ProducerBatch, error: BaseException) -> None:
        """Note that it is back, or never left."""
        self._away.pop(batch, None)
        super().failed(batch, error)

    def split(self, batch: ProducerBatch, parts: Sequence[ProducerBatch]) -> None:
        """Note that it is back, in parts."""
        self._away.pop(batch, None)
        super().split(batch, parts)


# --- the last rung --------------------------------------------------------------------------------


class Cargo(NamedTuple):
    """What came of carrying a topic's records over to another one."""

    taken: int
    results: int
    twice: int
    missing: int
    aborted: int
    """Steps that were spoilt and done again."""

    def __bool__(self) -> bool:
        return self.results == self.taken and not (self.twice or self.missing)


def carry_over(cluster: Any, source: str, step: Any) -> Cargo:
    """Let `step` carry the records of `source` to a new topic, slice by slice, through three faults.

    A result is refused, an answer to the end of a transaction is lost, the group refuses an offset.
    """
    output = f"{source}-landed"
    cluster.recreate_topic(output, config={"min.insync.replicas": "2"})
    name = f"{source}-{uuid.uuid4().hex[:8]}"
    with FaultProxy(cluster.bootstrap_servers, cluster.security) as proxy:
        proxy.answer_with("Produce", "POLICY_VIOLATION", nth=2, topic=output)
        proxy.drop_response("EndTxn", nth=2, reset=True)
        proxy.answer_with("TxnOffsetCommit", "ILLEGAL_GENERATION", nth=3)
        servers = proxy.bootstrap_servers
        with (
            Producer(bootstrap_servers=servers, transactional_id=name) as producer,
            contextlib.closing(_reader(servers, name)) as consumer,
        ):
            producer.init_transactions()
            aborted = _carry(cluster, consumer, producer, step, (source, output))
    wait_until(
        "no transaction is open in the output",
        lambda: cluster.offsets(output, 0),
        lambda offsets: offsets.last_stable == offsets.log_end,
    )
    return _count(cluster, source, output, aborted)


def _reader(servers: str, group: str) -> Any:
    return KafkaConsumer(
        bootstrap_servers=servers,
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


def _carry(cluster: Any, consumer: Any, producer: Any, step: Any, way: tuple[str, str]) -> int:
    """Do one partition after the other; return how many steps were aborted."""
    source, output = way
    aborted = 0
    for number in cluster.partitions(source):
        place, end = TopicPartition(source, number), len(cluster.read(source, partition=number))
        consumer.assign([place])
        done = 0
        while done < end:
            records = _slice(consumer, place, min(SLICE, end - done), done)
            if step.step(consumer, producer, records, output):
                done = records[-1].offset + 1
            else:
                aborted += 1
    return aborted


def _slice(consumer: Any, place: TopicPartition, size: int, start: int) -> list[Any]:
    """Return the next records; where to go on, the group has to know when the transaction is over."""
    wait_until("the group has the offset", lambda: consumer.committed(place) or 0, lambda at: at >= start)
    consumer.seek(place, consumer.committed(place) or 0)
    found: list[Any] = []
    while len(found) < size:
        for each in consumer.poll(timeout_ms=1000, max_records=size - len(found)).values():
            found += each
    return found


def _count(cluster: Any, source: str, output: str, aborted: int) -> Cargo:
    taken = [record.value.upper() for record in cluster.read(source, isolation="read_committed")]
    landed = [record.value for record in cluster.read(output, isolation="read_committed")]
    twice, missing = len(landed) - len(set(landed)), len(set(taken) - set(landed))
    return Cargo(len(taken), len(landed), twice, missing, aborted)
