"""RecordAccumulator: where records wait to become requests (Java: `RecordAccumulator`).

Every partition has a queue of batches; records are appended to the last, the sender drains the first.
`send()` works on one end from the application's threads, the I/O thread on the other, under one lock.

A partition's first batch is ready when it is full or another stands behind it, when it has lingered
for linger_ms, when somebody waits for memory, or during flush() and close().

Rules
- Memory is reserved before a batch is opened and released when its outcome is known.
- A batch to be sent again goes back to its old place: queues are ordered by batch number.
- With max_in_flight_requests_per_connection=1 a partition with a batch in flight is left alone, which
  is what keeps order over retries without idempotence.

Leaves out: where the leaders are (metadata.py) and how batches travel (sender.py).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.batch import BatchState, ProducerBatch, TopicPartition
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import ProducerClosedError
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.record_batch import HEADER_SIZE, RawRecord, record_size
from kafkalab.producer.tracing import Tracer


class Appended(NamedTuple):
    """What became of a record: its future, the batch, and whether that batch is full now."""

    future: DeliveryFuture
    batch: ProducerBatch
    batch_full: bool


class RecordAccumulator:
    """Batches per partition, within one budget of memory."""

    def __init__(self, config: ProducerConfig, trace: Tracer | None = None) -> None:
        self.config = config
        self.pool = BufferPool(config.buffer_memory)
        self.wakeup: Callable[[], object] = lambda: None  # the sender puts its own here
        self._trace = trace
        self._lock = threading.Lock()
        self._queues: dict[TopicPartition, deque[ProducerBatch]] = {}
        self._incomplete: dict[int, ProducerBatch] = {}
        self._muted: set[TopicPartition] = set()
        self._numbers = itertools.count()
        self._flushing = 0
        self._closed = False
        self._backoff = ExponentialBackoff(config.retry_backoff_ms, config.retry_backoff_max_ms)

    # --- the application's side -------------------------------------------------------------------

    def append(self, target: TopicPartition, record: RawRecord, deadline: float) -> Appended:
        """Add a record to its partition's open batch, or open one; wait for memory until `deadline`.

        Raises BufferExhaustedError, RecordTooLargeError or ProducerClosedError.
        """
        with self._lock:
            appended = self._append_to_last(target, record)
        if appended is None:
            appended = self._open_batch(target, record, deadline)
            self.wakeup()
        elif appended.batch_full:
            self.wakeup()
        return appended

    def flush(self) -> None:
        """Send everything appended so far without lingering, and wait until each outcome is known."""
        with self._lock:
            self._flushing += 1
        try:
            self.wakeup()
            for batch in self.incomplete():
                batch.delivery.wait(None)
        finally:
            with self._lock:
                self._flushing -= 1

    def close(self) -> None:
        """Take no more records; what is here becomes ready."""
        with self._lock:
            self._closed = True
        self.pool.close()

    def _append_to_last(self, target: TopicPartition, record: RawRecord) -> Appended | None:
        if self._closed:
            raise ProducerClosedError("the producer is closed: make a new one to send more")
        queue = self._queues.get(target)
        if not queue or (batch := queue[-1]).state is not BatchState.OPEN:
            return None
        future = batch.try_append(record)
        return None if future is None else Appended(future, batch, batch.full)

    def _open_batch(self, target: TopicPartition, record: RawRecord, deadline: float) -> Appended:
        size = max(self.config.batch_size, HEADER_SIZE + record_size(record))
        self.pool.reserve(size, deadline, on_wait=self.wakeup)
        with self._lock:
            appended = self._append_to_last(target, record)
            if appended is None:
                return self._append_to_new(target, size, record)
        self.pool.release(size)  # another thread opened a batch meanwhile
        return appended

    def _append_to_new(self, target: TopicPartition, reserved: int, record: RawRecord) -> Appended:
        batch = ProducerBatch(target, next(self._numbers), time.monotonic(), self.config.batch_size, reserved)
        future = batch.try_append(record)
        assert future is not None  # an empty batch takes any record
        self._queues.setdefault(target, deque()).append(batch)
        self._incomplete[batch.number] = batch
        if self._trace is not None:
            self._trace("new_batch", topic=target.topic, partition=target.partition, batch=batch.number)
        return Appended(future, batch, batch.full)

    # --- the sender's side ------------------------------------------------------------------------

    def ready(self, now: float) -> tuple[set[TopicPartition], float]:
        """Return the partitions whose first batch is ready, and when to ask again if nothing happens."""
        ready, ask_again = set(), float("inf")
        with self._lock:
            for target, queue in self._queues.items():
                if target in self._muted:
                    continue
                if self.why_ready(queue, now):
                    ready.add(target)
                else:
                    ask_again = min(ask_again, self._ready_at(queue[0]))
        return ready, ask_again

    def why_ready(self, queue: deque[ProducerBatch], now: float) -> str | None:
        """Return why the first batch of a partition's queue should be sent now; None if it should wait."""
        first = queue[0]
        if now < first.not_before:
            return None
        if first.attempts:
            return "retry"
        if len(queue) > 1 or first.full:
            return "full"
        if now >= self._ready_at(first):
            return "linger"
        if self.pool.waiting:
            return "memory"
        if self._closed:
            return "close"
        return "flush" if self._flushing else None

    def drain(self, targets: Iterable[TopicPartition], now: float) -> list[ProducerBatch]:
        """Take the first batch of each partition, within max_request_size in all (but at least one).

        Those that are not ready come along with those that are: the request travels anyway. Only a
        back-off is respected.
        """
        drained: list[ProducerBatch] = []
        size = 0
        for target in targets:
            with self._lock:
                batch = self._take(target, now, self.config.max_request_size - size if drained else None)
            if batch is not None:
                drained.append(batch)
                size += len(batch.encode())
        return drained

    def targets(self) -> list[TopicPartition]:
        """Return the partitions with batches in the queue, the least recently drained first."""
        with self._lock:
            return list(self._queues)

    def _take(self, target: TopicPartition, now: float, room: int | None) -> ProducerBatch | None:
        queue = self._queues.get(target)
        if not queue or target in self._muted or now < queue[0].not_before:
            return None
        if room is not None and queue[0].size > room:
            return None
        why = self.why_ready(queue, now) or "along"
        batch = queue.popleft()
        del self._queues[target]
        if queue:
            self._queues[target] = queue  # now the last in turn
        if self.config.max_in_flight_requests_per_connection == 1:
            self._muted.add(target)
        batch.become(BatchState.IN_FLIGHT)
        batch.attempts += 1
        if self._trace is not None:
            details = {"records": len(batch), "size": batch.size, "attempt": batch.attempts}
            self._trace("drained", **target._asdict(), batch=batch.number, why=why, **details)
        return batch

    def put_back(self, batch: ProducerBatch, now: float) -> None:
        """Queue a batch again, at its old place, to be sent once its back-off is over."""
        batch.become(BatchState.WAITING)
        batch.not_before = now + self._backoff.seconds(batch.attempts)
        with self._lock:
            queue = self._queues.setdefault(batch.target, deque())
            place = sum(other.number < batch.number for other in queue)
            queue.insert(place, batch)
            self._muted.discard(batch.target)

    def finish(self, batch: ProducerBatch, tell: Callable[[], object] = lambda: None) -> None:
        """Let go of a batch whose outcome is known; `tell` tells it, and flush() waits until it has."""
        batch.become(BatchState.DONE)
        with self._lock:
            self._muted.discard(batch.target)
        self.pool.release(batch.reserved)
        try:
            tell()
        finally:
            with self._lock:
                self._incomplete.pop(batch.number, None)

    def expired(self, now: float) -> list[ProducerBatch]:
        """Remove and return the queued batches that are older than delivery_timeout_ms."""
        oldest = now - self.config.delivery_timeout_ms / 1000
        return self._remove(lambda batch: batch.created <= oldest)

    def abort(self) -> list[ProducerBatch]:
        """Remove and return all queued batches."""
        return self._remove(lambda _: True)

    def incomplete(self) -> list[ProducerBatch]:
        """Return the batches without an outcome yet, queued or in flight."""
        with self._lock:
            return list(self._incomplete.values())

    def queued(self) -> dict[TopicPartition, list[ProducerBatch]]:
        """Return a copy of the queues, to look at."""
        with self._lock:
            return {target: list(queue) for target, queue in self._queues.items()}

    def _ready_at(self, first: ProducerBatch) -> float:
        return first.not_before if first.attempts else first.created + self.config.linger_ms / 1000

    def _remove(self, unwanted: Callable[[ProducerBatch], bool]) -> list[ProducerBatch]:
        removed = []
        with self._lock:
            for target, queue in list(self._queues.items()):
                removed += [batch for batch in queue if unwanted(batch)]
                kept = deque(batch for batch in queue if not unwanted(batch))
                if kept:
                    self._queues[target] = kept
                else:
                    del self._queues[target]
        return removed
