"""Chapter 05: when a batch leaves, what a request carries, what is too large."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kafkalab.course.teeth.patch import around, mutant
from kafkalab.producer import accumulator, batch, produce, record_batch
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.producer import Producer
from kafkalab.producer.sender import Sender

# --- linger ---------------------------------------------------------------------------------------


def _ready_at(moment: Callable[[Any, Any], float]) -> None:
    def ready(original: Any, self: Any, first: Any) -> float:
        return original(self, first) if first.attempts else moment(self, first)

    around(RecordAccumulator, "_ready_at", ready)


@mutant("linger", killer="4.3.3-linger")
def nothing_lingers() -> None:
    """Nothing lingers."""
    _ready_at(lambda _, first: first.created)


@mutant("linger", killer="4.3.3-linger")
def lingers_for_ever() -> None:
    """Only what is full leaves, or what is flushed."""
    _ready_at(lambda _, first: first.created + 1e6)


@mutant("linger", killer="4.3.3-linger")
def seconds() -> None:
    """linger_ms is taken for seconds."""
    _ready_at(lambda self, first: first.created + self.config.linger_ms)


@mutant("linger", killer="4.3.3-linger")
def half_the_linger() -> None:
    """Half of the time is enough."""
    _ready_at(lambda self, first: first.created + self.config.linger_ms / 2000)


@mutant("linger", killer="4.3.3-linger")
def wound_up_again() -> None:
    """Each record starts the clock anew."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        self.touched = time.monotonic()
        return original(self, record, body)

    around(ProducerBatch, "try_append", append)
    _ready_at(lambda self, first: getattr(first, "touched", first.created) + self.config.linger_ms / 1000)


def _never(reason: str) -> None:
    """Let `reason` be none to leave."""

    def why(original: Any, self: Any, queue: Any, now: float) -> Any:
        found = original(self, queue, now)
        return None if found == reason else found

    around(RecordAccumulator, "why_ready", why)


@mutant("linger", killer="4.3.3-linger")
def close_lingers() -> None:
    """close() waits until all have lingered."""
    _never("close")


@mutant("linger", killer="4.3.3-linger-costs")
def lingers_longer() -> None:
    """A tenth of a second is added to every linger."""
    _ready_at(lambda self, first: first.created + (self.config.linger_ms + 400) / 1000)


# --- requests -------------------------------------------------------------------------------------


@mutant("requests", killer="4.8.1-batch-size-per-send")
def request_per_batch() -> None:
    """A request carries one batch."""

    def send(original: Any, self: Any, node: int, batches: Any, now: float) -> None:
        for each in batches:
            original(self, node, [each], now)

    around(Sender, "_send_produce", send)


@mutant("requests", killer="4.8.1-batch-size-per-send")
def one_partition_a_turn() -> None:
    """One partition is drained at a time."""
    around(
        RecordAccumulator,
        "drain",
        lambda original, self, targets, now: original(self, list(targets)[:1], now),
    )


@mutant("requests", killer="4.8.1-batch-size-per-send")
def batch_per_send() -> None:
    """A batch takes one record."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        return None if len(self) else original(self, record, body)

    around(ProducerBatch, "try_append", append)


@mutant("requests", killer="4.8.1-batch-size-per-send")
def everything_in_one_partition() -> None:
    """A given partition is ignored."""

    def append(original: Any, self: Any, topic: Any, partition: Any, record: Any, number: Any) -> Any:
        return original(self, topic, 0, record, number)

    around(Producer, "_append", append)


@mutant("requests", killer="4.8.1-batch-size-per-send")
def request_as_large_as_a_batch() -> None:
    """A request carries batch_size bytes at the most."""

    def drain(original: Any, self: Any, targets: Any, now: float) -> Any:
        size = self.config.batch_size
        queued = self.queued()
        chosen: list[Any] = []
        for target in targets:
            if target in queued and (not chosen or queued[target][0].size <= size):
                chosen.append(target)
                size -= queued[target][0].size
        return original(self, chosen, now)

    around(RecordAccumulator, "drain", drain)


# --- too large ------------------------------------------------------------------------------------


@mutant("too large", killer="4.3.3-oversize")
def batch_size_is_the_limit() -> None:
    """A record larger than batch_size is refused."""

    def opened(original: Any, self: Any, target: Any, record: Any, *args: Any) -> Any:
        record_batch.check_size(record, max(self.config.batch_size, 1))
        return original(self, target, record, *args)

    around(Producer, "_open_batch", opened)


@mutant("too large", killer="4.3.3-oversize")
def joins_the_others() -> None:
    """A record that is too large for any batch joins the open one."""

    def append(original: Any, self: Any, record: Any, body: int) -> Any:
        kept, self.limit = self.limit, 2**31 if body > self.limit else self.limit
        index = original(self, record, body)
        self.limit = kept
        return index

    around(ProducerBatch, "try_append", append)


@mutant("too large", killer="4.3.3-oversize")
def not_looked_at() -> None:
    """max_request_size is not looked at."""
    around(record_batch, "check_size", lambda original, record, most: None)


@mutant("too large", killer="4.3.3-oversize")
def never_split() -> None:
    """A batch that is too large for the broker fails."""

    def split(original: Any, self: Any, large: Any) -> None:
        self._fail(large, large.last_error)

    around(Sender, "_split", split)


@mutant("too large", killer="4.3.3-oversize")
def split_into_thirds() -> None:
    """The first part gets a third of the records."""

    def half(original: Any, self: Any, start: int, records: Any) -> Any:
        every = list(_all_of(self))
        third = max(len(every) // 3, 1)
        return original(self, start and third, every[third:] if start else every[:third])

    around(ProducerBatch, "_half", half)


def _all_of(large: Any) -> Any:
    payload = large.payload
    return record_batch.decode_records(payload.data, payload.records, payload.base_timestamp)


@mutant("too large", killer="4.3.3-oversize")
def halves_have_each_others_outcome() -> None:
    """The futures of a batch that was split are told the other half's offset."""

    def offset(original: Any, self: Any) -> Any:
        told = original(self)
        parts = self._delivery._parts
        return told if not parts else told._replace(offset=told.offset ^ 1)

    around(DeliveryFuture, "_metadata", offset)


@mutant("too large", killer="4.3.3-oversize")
def sent_once_more() -> None:
    """A record that the broker finds too large is sent to it once more."""

    def on_error(original: Any, self: Any, large: Any, error: Any) -> None:
        if getattr(error, "errno", 0) == 10 and large.attempts == 1 and len(large) == 1:
            self._retry(large, error, renumber=False)
        else:
            original(self, large, error)

    around(Sender, "_on_error", on_error)


_ = accumulator, batch, produce  # imported, so that their own names of what is replaced are replaced, too
