"""Chapter 05: when may a batch leave? A rule of the learner's own, inside the real accumulator.

The answer's why_ready() takes the place of RecordAccumulator.why_ready(), for batches that nothing else
hurries: retries, flush(), close() and a lack of memory stay the accumulator's own business. A record that
joins a batch wakes the I/O thread, so that the rule is asked after every record, and then every 10 ms.

Judged on the wire: which records left together, and how long after they were sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.faults import FaultProxy
from kafkalab.producer import DeliveryFuture, Producer, ProducerBatch, RecordAccumulator, TopicPartition
from kafkalab.producer.record_batch import RawRecord

LINGER_MS = 1500
PATIENCE_S = LINGER_MS / 1000 + 3
ASK_AGAIN_S = 0.01


class HalfIsEnough:
    """Full or half full: leave at once. Anything less: linger."""

    def why_ready(self, batch: ProducerBatch, waited_ms: float, linger_ms: float) -> str | None:
        """Return why the batch should leave now, None if it should wait."""
        if batch.full:
            return "full"
        if batch.size >= batch.limit / 2:
            return "half full"
        return "linger" if waited_ms >= linger_ms else None


class RuledAccumulator(RecordAccumulator):
    """The real one, with somebody else's rule."""

    rule: Any
    raised: Exception | None = None

    def why_ready(self, queue: Sequence[ProducerBatch], now: float) -> str | None:
        """Ask the rule, unless the batch is in a hurry anyway."""
        first = queue[0]
        if self.raised or self._closed or self._flushing or self.pool.waiting or first.attempts:
            return super().why_ready(queue, now)
        try:
            why = self.rule.why_ready(first, (now - first.created) * 1000, self.config.linger_ms)
        except Exception as error:  # noqa: BLE001 - the I/O thread must survive a learner's code
            self.raised = error
            return "error"
        return None if why is None else str(why)

    def try_append(self, target: TopicPartition, record: RawRecord) -> DeliveryFuture | None:
        """Have the rule asked again after every record."""
        future = super().try_append(target, record)
        self.wakeup()
        return future

    def ready(self, now: float) -> tuple[set[TopicPartition], float]:
        """Ask again soon, but not at once: a rule that never lets go must not keep the I/O thread busy."""
        ready, ask_again = super().ready(now)
        return ready, max(ask_again, now + ASK_AGAIN_S)


class Case(NamedTuple):
    """Records of these sizes are sent one after the other; they should leave like this."""

    sizes: tuple[int, ...]
    batches: list[int]
    lingers: bool
    what: str


CASES = (
    Case((1000,) * 8, [8], lingers=True, what="8 records of 1,000 bytes (just below half of 16,384)"),
    Case((1000,) * 9, [9], lingers=False, what="9 records of 1,000 bytes (just above half of 16,384)"),
    Case((100, 16_300), [1, 1], lingers=False, what="100 bytes, then 16,300: no room for both"),
)


def check(answer: Any, bench: Bench) -> Result:
    """Send three loads through a real producer with the learner's rule; look at what left, and when."""
    topic = bench.topic("linger-rule", assignment=[[1, 2, 3]])
    accumulator = type("Ruled", (RuledAccumulator,), {"rule": answer})
    with (
        FaultProxy(bench.cluster.bootstrap_servers, record=True) as proxy,
        Producer(
            bootstrap_servers=proxy.bootstrap_servers, linger_ms=LINGER_MS, accumulator=accumulator
        ) as producer,
    ):
        producer.partitions_for(topic)
        for case in CASES:
            fault = _fault(case, *_run(case, topic, producer, proxy))
            raised = getattr(producer.accumulator, "raised", None)
            if raised is not None:
                raised = f"{type(raised).__name__}: {raised}"
                return Result("wrong", f"Your why_ready() raised {raised}", case.what)
            if fault is not None:
                return Result("wrong", fault, case.what)
    return Result("correct", "Half full batches left at once, the others lingered, and the full one did not.")


def _run(
    case: Case, topic: str, producer: Producer, proxy: FaultProxy
) -> tuple[list[int], list[float]] | tuple[None, None]:
    """Return the records of each batch that left, and after how many seconds; Nones if some never left."""
    before, started = len(_requests(proxy)), time.monotonic()
    futures = [producer.send(topic, bytes(size), partition=0) for size in case.sizes]
    try:
        for future in futures:
            future.result(PATIENCE_S)
    except TimeoutError:
        return None, None
    frames = _requests(proxy)[before:]
    return [sum(seen.records for seen in frame.partitions) for frame in frames], [
        frame.at - started for frame in frames
    ]


def _requests(proxy: FaultProxy) -> list[Any]:
    return [frame for frame in proxy.frames if (frame.api, frame.direction) == ("Produce", "request")]


def _fault(case: Case, batches: list[int] | None, seconds: list[float] | None) -> str | None:
    if batches is None or seconds is None:
        return f"These did not leave within {PATIENCE_S:g} s, though linger_ms is {LINGER_MS}."
    if batches != case.batches:
        wanted = " and ".join(map(str, case.batches))
        return f"They left in batches of {' and '.join(map(str, batches))}, not of {wanted}: too early."
    if case.lingers and min(seconds) * 1000 < LINGER_MS - 1:
        return f"This batch is less than half full: it should wait for linger_ms={LINGER_MS}, and did not."
    if not case.lingers and max(seconds) * 1000 >= LINGER_MS:
        return f"This should leave at once, and lingered for linger_ms={LINGER_MS}."
    return None


class NoPatience:
    """Wrong: nothing ever lingers."""

    def why_ready(self, batch: ProducerBatch, waited_ms: float, linger_ms: float) -> str | None:
        """Whatever is there may go."""
        return "full" if batch.full else "ready"


class FullOnly:
    """Wrong: Kafka's rule, not the one that was asked for."""

    def why_ready(self, batch: ProducerBatch, waited_ms: float, linger_ms: float) -> str | None:
        """Forget the half."""
        return "full" if batch.full else "linger" if waited_ms >= linger_ms else None


class SizeOnly:
    """Wrong: a batch can be full long before half of its bytes are used."""

    def why_ready(self, batch: ProducerBatch, waited_ms: float, linger_ms: float) -> str | None:
        """Forget batch.full."""
        return "half full" if batch.size * 2 >= batch.limit or waited_ms >= linger_ms else None


class Seconds:
    """Wrong: seconds against milliseconds."""

    def why_ready(self, batch: ProducerBatch, waited_ms: float, linger_ms: float) -> str | None:
        """Mix up the units."""
        late = waited_ms / 1000 >= linger_ms
        return "full" if batch.full or batch.size >= batch.limit / 2 or late else None


class EightRecords:
    """Wrong: counts records where bytes are meant."""

    def why_ready(self, batch: ProducerBatch, waited_ms: float, linger_ms: float) -> str | None:
        """Take 8 records for a half."""
        return "full" if batch.full or len(batch) >= 8 or waited_ms >= linger_ms else None


EXERCISE = Exercise(
    chapter="05",
    name="linger_rule",
    prompt=(
        "Half is enough: write why_ready(batch, waited_ms, linger_ms), asked of the first batch of a "
        "partition after every record and from time to time. A batch that is full leaves at once, and so "
        "does one that holds at least half of the bytes it may hold; any other leaves when it has waited "
        "for linger_ms. Return a word that says why, or None to let it wait. A batch knows batch.full "
        "(a record had no room in it), batch.size and batch.limit, in bytes."
    ),
    hints=(
        "Three ifs, in the order of the text; what is none of them returns None.",
        "if batch.full: ... if batch.size >= batch.limit / 2: ... if waited_ms >= linger_ms: ...",
    ),
    method="why_ready",
    solution=HalfIsEnough,
    check=check,
    wrong={
        "nothing lingers": NoPatience,
        "the half forgotten": FullOnly,
        "full forgotten": SizeOnly,
        "seconds for milliseconds": Seconds,
        "records for bytes": EightRecords,
    },
)
