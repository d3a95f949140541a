"""Chapter 04: which batch may leave, so that no retry is overtaken, without idempotence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import Producer, ProducerBatch
from kafkalab.producer.ordering import Ordering

VALUES = (b"a", b"b", b"c", b"d")
PATIENCE_S = 5.0
SETTINGS: dict[str, Any] = {
    "enable_idempotence": False,
    "batch_size": 0,
    "request_timeout_ms": 20_000,
    "delivery_timeout_ms": 30_000,
}


class OnePerPartition:
    """Let a batch leave when no other of its partition is out."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Tell whether `batch` may leave while `out` are unanswered."""
        return all(other.target != batch.target for other in out)


class Gate(Ordering):
    """Ask a rule whether a batch may leave, and keep book of what is out."""

    def __init__(self, rule: Any) -> None:
        self._rule = rule
        self._out: dict[ProducerBatch, None] = {}
        self.trouble: Exception | None = None

    def admits(self, batch: ProducerBatch) -> bool:
        """Ask the rule. What it raises would end the I/O thread: it is kept, and the batch may leave."""
        try:
            return bool(self._rule.may_leave(batch, list(self._out)))
        except Exception as error:  # noqa: BLE001 - whatever a learner's code raises is the finding
            self.trouble = error
            return True

    def leaves(self, batch: ProducerBatch) -> None:
        """Note that it is out."""
        self._out[batch] = None

    def acknowledged(self, batch: ProducerBatch) -> None:
        """Note that it is back."""
        self._out.pop(batch, None)

    def returned(self, batch: ProducerBatch, *, renumber: bool) -> None:
        """Note that it is back, and queued again."""
        self._out.pop(batch, None)

    def failed(self, batch: ProducerBatch, error: BaseException) -> None:
        """Note that it is back, or never left."""
        self._out.pop(batch, None)


def check(answer: Any, bench: Bench) -> Result:
    """Refuse a batch after the next one has left, if it has; then withhold one partition's answer."""
    gate = Gate(answer)
    first, *others = bench.cluster.broker_ids
    elsewhere = others[0] if others else first
    topic = bench.topic("order", assignment=[[first], [elsewhere]])
    other = bench.topic("order-2", assignment=[[elsewhere]])
    with FaultProxy(bench.cluster.bootstrap_servers, bench.cluster.security) as proxy:
        servers = proxy.bootstrap_servers
        producer = Producer(bootstrap_servers=servers, ordering=lambda *_: gate, **SETTINGS)
        try:
            result = _departure(producer, topic) or _order(producer, proxy, topic, bench)
            if result is None and others:
                result = _neighbours(producer, proxy, [(topic, 1), (other, 0)], held=topic)
        finally:
            producer.close(0)
    if gate.trouble is not None:
        return Result("wrong", f"Your may_leave() raised {gate.trouble!r}.")
    return result or Result(
        "correct", "The refused record kept its place, and no partition waited for another one."
    )


def _departure(producer: Producer, topic: str) -> Result | None:
    try:
        producer.send(topic, b"warm-up", partition=0).result(timeout=PATIENCE_S)
    except TimeoutError:
        return Result("wrong", "The first record of all never left, although nothing was out.")
    return None


def _order(producer: Producer, proxy: FaultProxy, topic: str, bench: Bench) -> Result | None:
    proxy.answer_with("Produce", "NOT_ENOUGH_REPLICAS", after_next=True, topic=topic, partition=0)
    for future in [producer.send(topic, value, partition=0) for value in VALUES]:
        future.result(timeout=30)
    stored = [record.value for record in bench.cluster.read(topic, partition=0)][1:]
    for before, after in pairwise(stored):
        if before > after:
            return Result(
                "wrong",
                f"{before!r} lies in front of {after!r}, which was sent first and refused once.",
                f"log: {', '.join(value.decode() for value in stored)}",
            )
    return None


def _neighbours(
    producer: Producer, proxy: FaultProxy, neighbours: Sequence[tuple[str, int]], held: str
) -> Result | None:
    """Send to other partitions, with other leaders, while one partition's answer is withheld."""
    rule = proxy.hold("Produce", topic=held, partition=0)
    producer.send(held, b"held", partition=0)
    rule.wait()
    for topic, partition in neighbours:
        what = "another partition" if topic == held else "another topic's partition 0"
        try:
            producer.send(topic, b"free", partition=partition).result(timeout=PATIENCE_S)
        except TimeoutError:
            return Result("wrong", f"While one partition's answer was awaited, {what} was held up, too.")
    rule.release()
    return None


class Anything:
    """Wrong: what left behind a batch overtakes it when it is refused."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Let everything leave."""
        return True


class Five:
    """Wrong: two are enough to change places."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Trust a number."""
        return len(out) < 5


class OnlyBehindRetries:
    """Wrong: when the retry goes out, the next one has long arrived."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Wait for retries, when it is too late."""
        return all(other.target != batch.target or other.attempts == 1 for other in out)


class OneInAll:
    """Wrong: it holds up every other partition."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Let one partition hold up all others."""
        return not out


class ByNumber:
    """Wrong: partition 0 of another topic is another partition."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Take partitions of two topics for the same."""
        return all(other.target.partition != batch.target.partition for other in out)


class Never:
    """Wrong: the first batch waits for itself."""

    def may_leave(self, batch: ProducerBatch, out: Sequence[ProducerBatch]) -> bool:
        """Wait for a batch to be out first."""
        return any(other.target == batch.target for other in out)


EXERCISE = Exercise(
    chapter="04",
    name="order",
    prompt=(
        "Keep the order without idempotence, and with five requests in flight. Write may_leave(batch, out): "
        "whether batch, the first of its partition's queue, may leave now; out are the batches sent and not "
        "answered yet. batch.target is its TopicPartition(topic, partition), batch.attempts counts how often "
        "it was sent. No partition may be held up for another one's sake."
    ),
    hints=(
        "A batch is overtaken by what left while it was out. Of which batches must none be out, then?",
        "Look at every other in out: when is its target the same as batch.target? Topic and partition count.",
    ),
    method="may_leave",
    solution=OnePerPartition,
    check=check,
    wrong={
        "anything goes": Anything,
        "five at most": Five,
        "only retries are waited for": OnlyBehindRetries,
        "one for the whole producer": OneInAll,
        "topics confused": ByNumber,
        "nothing leaves": Never,
    },
)
