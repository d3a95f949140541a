"""Chapter 06: guess how many raw bytes make a full batch, judged by the batches in the log."""

from __future__ import annotations

from itertools import islice
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from kafkalab.course import samples
from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer

BATCH = 16_384
EVENTS, SECRETS, LEARN = 3_000, 1_000, 4
FULL, MOST = 0.6, 1.15
READ_S = 20.0


class Estimator:
    """One right answer: what all earlier bytes of the topic became, small batches left out."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, int]] = {}

    def raw_limit(self, topic: str, batch_size: int) -> int:
        """Return how many raw bytes the topic's next batch may take."""
        raw, compressed = self.seen.get(topic, (1, 1))
        return int(min(max(batch_size * 0.95 * raw / compressed, batch_size), 20 * batch_size))

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Learn from a batch that took `raw` bytes and became `compressed`."""
        if raw >= 4096:
            before = self.seen.get(topic, (0, 0))
            self.seen[topic] = (before[0] // 2 + raw, before[1] // 2 + compressed)


def check(answer: Any, bench: Bench) -> Result:
    """Send a lonely record, events and encrypted messages with gzip; read them back, look at the batches."""
    topic = bench.topic("estimator")
    sent = list(samples.json_events(EVENTS + 1)) + list(samples.encrypted(SECRETS))
    settings: dict[str, Any] = {"compression_type": "gzip", "batch_size": BATCH, "linger_ms": 60_000}
    with Producer(bootstrap_servers=bench.cluster.bootstrap_servers, **settings) as producer:
        producer.accumulator.estimator = answer
        for start, end in ((0, 1), (1, EVENTS + 1), (EVENTS + 1, len(sent))):
            futures = [producer.send(topic, value, partition=0) for value in sent[start:end]]
            producer.flush()
            futures[-1].result(0)
    if read_back(bench.cluster, topic, len(sent)) != sent:
        return Result("wrong", "kafka-python's consumer did not read what was sent, in its order.")
    return judge(bench.cluster.batches(topic))


def read_back(cluster: Any, topic: str, count: int) -> list[bytes]:
    """Return the values that kafka-python's consumer reads."""
    consumer = KafkaConsumer(
        bootstrap_servers=cluster.bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        consumer_timeout_ms=int(READ_S * 1000),
    )
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return [record.value for record in islice(consumer, count)]
    finally:
        consumer.close()


def judge(batches: list[Any]) -> Result:
    """Return the result for the topic's batches."""
    *events, _ = [batch for batch in batches if 0 < batch.base_offset <= EVENTS]
    *secrets, _ = [batch for batch in batches if batch.base_offset > EVENTS]
    for kind in (events, secrets):
        if len(kind) <= LEARN:
            largest = max(kind, key=lambda batch: len(batch.raw))
            return Result("wrong", "Only a few huge batches: a broker may refuse such.", _where(largest))
    for batch in events[LEARN:]:
        if len(batch.raw) < FULL * BATCH:
            few = "Events need a fifth of their bytes: after a few batches, more of them should go into one."
            return Result("wrong", few, _where(batch))
    for batch in events[LEARN:] + secrets[LEARN:]:
        if len(batch.raw) > MOST * BATCH:
            late = "A few batches should be enough to see how much this kind of data needs."
            return Result("wrong", f"Larger than batch_size. {late}", _where(batch))
    return Result("correct", "Batches are full soon, for both kinds of data, and never much too large.")


def _where(batch: Any) -> str:
    return f"batch at offset {batch.base_offset}: {batch.records} records, {len(batch.raw)} bytes of {BATCH}"


class NeverLearns:
    """Wrong: batches stay as small as they become."""

    def raw_limit(self, topic: str, batch_size: int) -> int:
        """Count raw bytes."""
        return batch_size

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Forget."""


class TooGreedy(NeverLearns):
    """Wrong: nothing becomes that small."""

    def raw_limit(self, topic: str, batch_size: int) -> int:
        """Hope for the best."""
        return 20 * batch_size


class FirstImpression(NeverLearns):
    """Wrong: it learns once, from one lonely record."""

    def __init__(self) -> None:
        self.ratio: float | None = None

    def raw_limit(self, topic: str, batch_size: int) -> int:
        """Divide by the first ratio."""
        return max(batch_size, int(batch_size / (self.ratio or 1)))

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Keep the first ratio."""
        self.ratio = self.ratio or compressed / raw


class BestEver(FirstImpression):
    """Wrong: data changes."""

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Keep the best ratio."""
        self.ratio = min(self.ratio or 1, compressed / raw)


class SmallSteps(FirstImpression):
    """Wrong here: so Java does it, and takes some hundred batches."""

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Come down by 0.005 a batch, go up at once."""
        before, seen = self.ratio or 1.0, compressed / raw
        self.ratio = max(before - 0.005, seen) if seen < before else max(before + 0.05, seen)


class UpsideDown(FirstImpression):
    """Wrong: the ratio is compressed / raw, so a good one is below 1."""

    def observe(self, topic: str, raw: int, compressed: int) -> None:
        """Divide the other way round."""
        self.ratio = raw / compressed


EXERCISE = Exercise(
    chapter="06",
    name="estimator",
    prompt=(
        "Write the part that guesses how much fits into a batch. raw_limit(topic, batch_size) returns how "
        "many raw bytes the next batch may take, so that about batch_size bytes come out of it; "
        "observe(topic, raw, compressed) tells what became of the last one. It will meet one lonely record, "
        f"then JSON events, then encrypted messages. From the {LEARN + 1}th batch of a kind on, no batch may "
        f"exceed {MOST:.0%} of batch_size, and events should fill at least {FULL:.0%} of it."
    ),
    hints=(
        (
            "Keep compressed / raw of what you have seen. Which batches tell little? Which count for more, "
            "the latest or the oldest?"
        ),
        (
            "Leave out batches of a few hundred bytes; let what was seen before count for half at each step; "
            "return 0.95 * batch_size / ratio, and never less than batch_size."
        ),
    ),
    method="raw_limit",
    solution=Estimator,
    check=check,
    wrong={
        "never learns": NeverLearns,
        "too greedy": TooGreedy,
        "first impression": FirstImpression,
        "best ratio ever": BestEver,
        "small steps": SmallSteps,
        "upside down": UpsideDown,
    },
)
