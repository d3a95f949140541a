"""Chapter 02: into a batch, when it leaves, the answer."""

from __future__ import annotations

from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import produce, record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.futures import Delivery
from kafkalab.producer.ordering import Ordering, Verdict
from kafkalab.producer.sender import Sender


def _records(change: Any) -> None:
    """Let every record be changed before it is encoded: (timestamp, key, value, headers)."""

    def encode(original: Any, records: Any) -> Any:
        return original([change(*record) for record in records])

    around(record_batch, "encode_records", encode)


# --- into a batch ---------------------------------------------------------------------------------


@mutant("batch", killer="4.2.5-only-the-value")
def only_the_value() -> None:
    """Only the value enters the batch."""
    _records(lambda timestamp, key, value, headers: (timestamp, None, value, ()))


@mutant("batch", killer="4.2.5-only-the-value")
def headers_not_counted() -> None:
    """Headers are not counted into the batch's size."""

    def size(original: Any, record: Any) -> Any:
        return original((*record[:3], ()))

    around(record_batch, "body_size", size)


@mutant("batch", killer="4.2.5-only-the-value")
def header_not_counted() -> None:
    """The batch's own header is not counted."""

    def new(original: Any, self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self.size = 0

    around(ProducerBatch, "__init__", new)


@mutant("batch", killer="4.2.5-only-the-value")
def no_header() -> None:
    """The batch has no header."""
    around(record_batch, "encode_batch", lambda original, payload, *state: payload.data)


@mutant("batch", killer="4.2.5-only-the-value")
def header_values_dropped() -> None:
    """A header's value is left out."""
    _records(lambda *record: (*record[:3], tuple((name, None) for name, _ in record[3])))


# --- when it leaves -------------------------------------------------------------------------------


@mutant("leaving", killer="4.3.3-full-batch-goes")
def nothing_lingers() -> None:
    """Nothing lingers."""
    around(RecordAccumulator, "_ready_at", lambda original, self, first: first.created)


@mutant("leaving", killer="4.3.3-full-batch-goes")
def all_along() -> None:
    """A full batch takes those behind it along."""

    def why(original: Any, self: Any, queue: Any, now: float) -> Any:
        return original(self, queue, now) or ("full" if self._appended[queue[0].target] else None)

    around(RecordAccumulator, "why_ready", why)


@mutant("leaving", killer="4.3.3-full-batch-goes")
def half_full() -> None:
    """A batch is full at half of batch_size."""

    def new(original: Any, self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self.limit //= 2

    around(ProducerBatch, "__init__", new)


@mutant("leaving", killer="4.3.3-full-batch-goes")
def counts_records() -> None:
    """batch_size counts records, not bytes."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.limit = 2**31
        return None if len(self) >= 10 else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("leaving", killer="4.3.3-full-batch-goes")
def full_lingers() -> None:
    """A full batch waits for linger_ms like any other."""

    def why(original: Any, self: Any, queue: Any, now: float) -> Any:
        found = original(self, queue, now)
        return None if found == "full" and now < self._ready_at(queue[0]) else found

    around(RecordAccumulator, "why_ready", why)


# --- the answer -----------------------------------------------------------------------------------


@mutant("answer", killer="4.2.6-metadata")
def offset_invented() -> None:
    """acks=0 invents offset 0."""

    def acknowledge(original: Any, self: Any, base_offset: Any, *rest: Any) -> Any:
        return original(self, base_offset or 0, *rest)

    around(Delivery, "acknowledge", acknowledge)


@mutant("answer", killer="4.2.6-metadata")
def offset_unknown() -> None:
    """The broker's offset is not passed on."""
    around(Delivery, "acknowledge", lambda original, self, base_offset, *rest: original(self, None, *rest))


@mutant("answer", killer="4.2.6-gives-up-after-retries")
def errors_are_success() -> None:
    """The broker's errors are taken for success."""

    def read(original: Any, response: Any) -> Any:
        return (each._replace(error=None) for each in original(response))

    around(produce, "answers", read)


@mutant("answer", killer="4.2.6-gives-up-after-retries")
def no_retries() -> None:
    """Nothing is tried again."""

    def judge(original: Any, self: Any, batch: Any, error: Any) -> Any:
        return Verdict.FAIL

    around(Ordering, "judge", judge)


@mutant("answer", killer="4.2.6-gives-up-after-retries")
def retries_miscounted() -> None:
    """The first attempt counts as a retry."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        batch.attempts += 1
        original(self, batch, error)
        batch.attempts -= 1

    around(Sender, "_on_error", on_error)


@mutant("answer", killer="4.2.6-gives-up-after-retries")
def retries_ignored() -> None:
    """A limit of retries is ignored."""

    def on_error(original: Any, self: Any, batch: Any, error: Any) -> None:
        attempts, batch.attempts = batch.attempts, 1
        original(self, batch, error)
        batch.attempts = attempts

    around(Sender, "_on_error", on_error)


@mutant("answer", killer="4.2.6-gives-up-after-retries")
def no_delivery_timeout() -> None:
    """The setting delivery_timeout_ms is ignored."""
    around(Sender, "_expire", lambda original, self, now: setattr(self, "_next_expiry", now + 1))
