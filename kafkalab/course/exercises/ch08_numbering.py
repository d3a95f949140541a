"""Chapter 08: the sequence number of a partition's next batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kafka.errors import OutOfOrderSequenceNumberError

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer, ProducerBatch
from kafkalab.producer.idempotence import MAX_SEQUENCE, Idempotence
from kafkalab.producer.ordering import Verdict
from kafkalab.producer.record import TopicPartition

NEAR_THE_END = MAX_SEQUENCE - 4
SETTINGS: dict[str, Any] = {"linger_ms": 60_000, "delivery_timeout_ms": 100_000}


class Numbered(NamedTuple):
    """A batch that has its number: of which partition, from which sequence on, how many records."""

    target: TopicPartition
    sequence: int
    records: int


class NextOfThePartition:
    """Count on from the partition's last batch; after 2147483647 comes 0."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Return the number of the first record of a new batch for `target`."""
        for batch in reversed(history):
            if batch.target == target:
                return (batch.sequence + batch.records) % 2**31
        return 0


class Numbering(Idempotence):
    """Let a rule say the numbers, and tell what the brokers refuse for them."""

    def __init__(self, config: Any, rule: Any) -> None:
        super().__init__(config)
        self._rule = rule
        self.history: list[Numbered] = []
        self.trouble = ""

    def leaves(self, batch: ProducerBatch) -> None:
        """Give the batch the number that the rule says."""
        if batch.stamp is None:
            line = self._line(batch)
            line.next_sequence = self._ask(batch)
            self.history.append(Numbered(batch.target, line.next_sequence, len(batch)))
        super().leaves(batch)

    def judge(self, batch: ProducerBatch, error: BaseException) -> Verdict:
        """Mend nothing: what the broker does not take is the finding."""
        if isinstance(error, OutOfOrderSequenceNumberError):
            return Verdict.FAIL
        return super().judge(batch, error)

    def _ask(self, batch: ProducerBatch) -> int:
        try:
            told = self._rule.first_sequence(batch.target, list(self.history))
            if isinstance(told, int) and 0 <= told <= MAX_SEQUENCE:
                return told
            self.trouble = self.trouble or f"first_sequence() returned {told!r}; 0 to {MAX_SEQUENCE} fits."
        except Exception as error:  # noqa: BLE001 - whatever a learner's code raises is the finding
            self.trouble = self.trouble or f"Your first_sequence() raised {error!r}."
        return 0


def check(answer: Any, bench: Bench) -> Result:
    """Send batches of several sizes to three partitions, one of them close to the last number."""
    first = bench.cluster.broker_ids[0]
    one = bench.topic("numbers", assignment=[[first]] * 2)
    other = bench.topic("numbers-2", assignment=[[first]])
    ordering: list[Numbering] = []

    def numbering(config: Any, *_: Any) -> Numbering:
        ordering.append(Numbering(config, answer))
        # As if this session had sent two thousand million records to it: no broker minds.
        ordering[0].history.append(Numbered(TopicPartition(other, 0), NEAR_THE_END - 2, 2))
        return ordering[0]

    plan = [(one, 0, 2), (one, 1, 3), (one, 0, 2), (other, 0, 3), (one, 1, 1), (other, 0, 3), (other, 0, 1)]
    with Producer(
        bootstrap_servers=bench.cluster.bootstrap_servers, ordering=numbering, **SETTINGS
    ) as producer:
        for number, (topic, partition, records) in enumerate(plan):
            futures = [
                producer.send(topic, b"%d.%d" % (number, n), partition=partition) for n in range(records)
            ]
            producer.flush()
            error = futures[0].exception(timeout=30)
            if ordering[0].trouble:
                return Result("wrong", ordering[0].trouble)
            if error is not None:
                return _refused(ordering[0].history, error)
    return _stored(plan, bench) or Result(
        "correct",
        "Every batch is stored; each partition counts for itself, past the last number.",
    )


def _refused(history: Sequence[Numbered], error: BaseException) -> Result:
    batch = history[-1]
    earlier = [each for each in history[:-1] if each.target == batch.target]
    where = f"partition {batch.target.partition} of {_short(batch.target.topic)}"
    told = [f"{each.records} record(s) from {each.sequence}" for each in earlier]
    return Result(
        "wrong",
        f"The broker refused a batch for {where}: {type(error).__name__}.",
        f"before: {'; '.join(told) or 'nothing'}\nnow: {batch.records} record(s) from {batch.sequence}",
    )


def _stored(plan: Sequence[tuple[str, int, int]], bench: Bench) -> Result | None:
    for topic, partition in dict.fromkeys((topic, partition) for topic, partition, _ in plan):
        sent = [
            b"%d.%d" % (number, n)
            for number, (to, at, records) in enumerate(plan)
            if (to, at) == (topic, partition)
            for n in range(records)
        ]
        log = bench.cluster.log(topic, partition)
        where = f"partition {partition} of {_short(topic)}"
        if missing := [value for value in sent if value not in {record.value for record in log}]:
            return Result(
                "wrong",
                f"{missing[0]!r} was acknowledged, but is not in {where}: taken for a duplicate.",
                f"log: {', '.join(record.value.decode() for record in log)}",
            )
        start = NEAR_THE_END if topic != plan[0][0] else 0
        if log[0].sequence != start:
            return Result(
                "wrong",
                f"The first record of {where} has the number {log[0].sequence}; {start} is its turn.",
            )
    return None


def _short(topic: str) -> str:
    return topic.rpartition("exercise-08-")[2]


class OneCount:
    """Wrong: every partition has a count of its own."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Count all partitions together."""
        return (history[-1].sequence + history[-1].records) % 2**31 if len(history) > 1 else 0


class ByBatch:
    """Wrong: records are counted, not batches."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Count batches."""
        last = [batch for batch in history if batch.target == target][-1:]
        return (last[0].sequence + 1) % 2**31 if last else 0


class NoEnd:
    """Wrong: the number has 32 bits, one of them for the sign."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Count on and on."""
        last = [batch for batch in history if batch.target == target][-1:]
        return last[0].sequence + last[0].records if last else 0


class OneTooFew:
    """Wrong: 2147483647 is a number, too."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Begin anew one number too early."""
        return NoEnd().first_sequence(target, history) % (2**31 - 1)


class AlwaysZero:
    """Wrong: the broker knows these numbers already, and drops what carries them."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Begin anew with every batch."""
        return 0


class FromOne:
    """Wrong: the broker does not mind, but computers count from 0."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Begin with 1."""
        known = any(batch.target == target for batch in history)
        return NextOfThePartition().first_sequence(target, history) if known else 1


class ByNumber:
    """Wrong: partition 0 of another topic is another partition."""

    def first_sequence(self, target: TopicPartition, history: Sequence[Numbered]) -> int:
        """Take partitions of two topics for the same."""
        for batch in reversed(history):
            if batch.target.partition == target.partition:
                return (batch.sequence + batch.records) % 2**31
        return 0


EXERCISE = Exercise(
    chapter="08",
    name="numbering",
    prompt=(
        "Write first_sequence(target, history): the sequence number of the first record of a new batch. "
        "target is its TopicPartition(topic, partition); history lists the batches numbered so far, oldest "
        "first, each with target, sequence (of its first record) and records (how many). A partition starts "
        "at 0, and the number behind 2147483647 is 0 again. Your rule numbers the batches of the real "
        "producer; one of the partitions is close to the last number."
    ),
    hints=(
        "Only batches with the same target count, and of those only the last one.",
        "Its sequence plus its records is next, modulo 2 ** 31. No such batch: 0.",
    ),
    method="first_sequence",
    solution=NextOfThePartition,
    check=check,
    wrong={
        "one count for all": OneCount,
        "batches counted": ByBatch,
        "no end": NoEnd,
        "ends too early": OneTooFew,
        "zero again": AlwaysZero,
        "from one": FromOne,
        "topics confused": ByNumber,
    },
)
