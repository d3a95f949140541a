"""RecordAccumulator: where records wait to become requests (Java: `RecordAccumulator`).

Every partition has a queue of batches; records are appended to the last, the sender drains the first.
`send()` works on one end from the application's threads, the I/O thread on the other, under one lock.

A partition's first batch is ready when it is full or another stands behind it, when it has lingered
for linger_ms, when somebody waits for memory, or during flush() and close().

Rules
- A record costs one look-up, one append and one lock. What costs more is done once per batch: reserving
  memory before it is opened, making bytes of it when it is full, waking the sender.
- A batch to be sent again goes back to its old place: queues are in the order of sending. Whether it may
  leave now is for the ordering to say (ordering.py). Its memory is released when its outcome is known.

Leaves out: where the leaders are (metadata.py) and how batches travel (sender.py).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from kafkalab.producer.backoff import Backoff, ExponentialBackoff
from kafkalab.producer.batch import BatchState, ProducerBatch
from kafkalab.producer.buffer_pool import BufferPool
from kafkalab.producer.compression import CompressionRatioEstimator, compressor
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import ProducerClosedError
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.record import TopicPartition
from kafkalab.producer.record_batch import HEADER_SIZE, RawRecord, body_size, record_size
from kafkalab.producer.tracing import SILENCE, Tracer


class RecordAccumulator:
    """Batches per partition, within one budget of memory; `codec` and `estimator` are parts to replace."""

    def __init__(self, config: ProducerConfig, trace: Tracer | None = None) -> None:
        self.config = config
        self.wakeup: Callable[[], object] = lambda: None  # the sender puts its own here,
        self.admits: Callable[[ProducerBatch], bool] = lambda _: True  # and its ordering's
        self._trace = trace or SILENCE
        self.pool = BufferPool(config.buffer_memory, self._trace)
        self.codec = compressor(config.compression_type, config.compression_level)
        self.estimator = CompressionRatioEstimator()
        self._lock = threading.Lock()
        self._queues: dict[TopicPartition, deque[ProducerBatch]] = {}
        self._open: dict[TopicPartition, ProducerBatch] = {}
        self._appended: Counter[TopicPartition] = Counter()
        self._incomplete: dict[ProducerBatch, None] = {}  # a set that keeps its order
        self._numbers = itertools.count()
        self._next_look = float("inf")
        self._flushing = 0
        self._closed = False
        self.backoff: Backoff = ExponentialBackoff(config.retry_backoff_ms, config.retry_backoff_max_ms)

    # --- the application's side -------------------------------------------------------------------

    def try_append(self, target: TopicPartition, record: RawRecord) -> DeliveryFuture | None:
        """Add a record to its partition's open batch; None when there is none, or it has no room.

        A batch that has no room left is closed.
        """
        body = body_size(record)  # whoever waits for the lock waits for little: the rest is done without it
        with self._lock:
            batch = self._open.get(target)
            if batch is None:
                return None
            index = batch.try_append(record, body)
            full = index is None or batch.size >= batch.limit
            if full:
                self._shut(batch)
        if full:
            self._seal(batch)  # on this thread: the sender's has requests to send
            self.wakeup()
        return None if index is None else DeliveryFuture(batch.delivery, index, record[0])

    def open_batch(self, target: TopicPartition, record: RawRecord, deadline: float) -> DeliveryFuture:
        """Add a record to a new batch of its partition, waiting for memory until `deadline`.

        Raises BufferExhaustedError, RecordTooLargeError or ProducerClosedError.
        """
        body = body_size(record)
        reserved = max(self.config.batch_size, HEADER_SIZE + record_size(body))
        self.pool.reserve(reserved, deadline, on_wait=self.wakeup)
        with self._lock:
            batch = self._open.get(target)  # another thread may have opened one meanwhile
            index = None if batch is None else batch.try_append(record, body)
            if batch is not None and index is None:
                self._shut(batch)
            if index is None and not self._closed:
                batch, index = self._new_batch(target, reserved), 0
                batch.try_append(record, body)
                if batch.size >= batch.limit:
                    self._shut(batch)
                reserved = 0
        if reserved:
            self.pool.release(reserved)
        if batch is None or index is None:
            raise ProducerClosedError("the producer is closed: make a new one to send more")
        if batch.full or self._ready_at(batch) < self._next_look:
            self.wakeup()
        return DeliveryFuture(batch.delivery, index, record[0])

    def appended(self, target: TopicPartition) -> int:
        """Return how many bytes of batches a partition has got in all, its open batch included."""
        with self._lock:
            batch = self._open.get(target)
            return self._appended[target] + (0 if batch is None else batch.size)

    def waiting(self, topic: str) -> dict[int, int]:
        """Return the numbers of queued batches of the topic's partitions that have any."""
        with self._lock:
            return {t.partition: len(queue) for t, queue in self._queues.items() if t.topic == topic}

    def flush(self) -> None:
        """Send everything appended so far without lingering, and wait until each outcome is known."""
        with self.flushing():
            for batch in self.incomplete():
                batch.delivery.wait(None)

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """Let nothing linger while this context lasts."""
        with self._lock:
            self._flushing += 1
        try:
            self.wakeup()
            yield
        finally:
            with self._lock:
                self._flushing -= 1

    def close(self) -> None:
        """Take no more records; what is here becomes ready."""
        with self._lock:
            self._closed = True
            self._open.clear()
        self.pool.close()

    def _new_batch(self, target: TopicPartition, reserved: int) -> ProducerBatch:
        now, limit = time.monotonic(), self.config.batch_size
        if self.codec is not None:
            limit = self.estimator.raw_limit(target.topic, limit)
        limit = min(limit, self.config.max_request_size)
        batch = ProducerBatch(target, next(self._numbers), now, limit, reserved, self.codec)
        self._queues.setdefault(target, deque()).append(batch)
        self._open[target] = batch
        self._incomplete[batch] = None
        self._trace("new_batch", **target._asdict(), batch=batch.number, limit=limit, reserved=reserved)
        return batch

    def _shut(self, batch: ProducerBatch) -> None:
        """Take no more records into `batch`: it has no room left."""
        batch.full = True
        self._leave_open(batch)

    def _seal(self, batch: ProducerBatch) -> None:
        """Make bytes of a closed batch; learn from it how well the topic's records compress."""
        raw = batch.size
        if batch.seal() and self.codec is not None:
            self.estimator.observe(batch.target.topic, raw, batch.size)

    def _leave_open(self, batch: ProducerBatch) -> None:
        if self._open.get(batch.target) is batch:
            del self._open[batch.target]
            self._appended[batch.target] += batch.size

    # --- the sender's side ------------------------------------------------------------------------

    def ready(self, now: float) -> tuple[set[TopicPartition], float]:
        """Return the partitions whose first batch is ready, and when to ask again if nothing happens."""
        ready, ask_again = set(), float("inf")
        with self._lock:
            for target, queue in self._queues.items():
                if not self.admits(queue[0]):
                    continue
                if self.why_ready(queue, now):
                    ready.add(target)
                else:
                    ask_again = min(ask_again, self._ready_at(queue[0]))
            self._next_look = ask_again
        return ready, ask_again

    def why_ready(self, queue: Sequence[ProducerBatch], now: float) -> str | None:
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

        Those that are not ready come along with those that are, unless they back off.
        """
        drained: list[tuple[ProducerBatch, str]] = []
        room = self.config.max_request_size
        with self._lock:
            for target in targets:
                if why := self._why_taken(target, now, room if drained else None):
                    drained.append((self._take(target), why))
                    room -= drained[-1][0].size
        for batch, why in drained:
            self._seal(batch)
            details = {"records": len(batch), "size": batch.size, "attempt": batch.attempts}
            self._trace("drained", **batch.target._asdict(), batch=batch.number, why=why, **details)
        return [batch for batch, _ in drained]

    def targets(self) -> list[TopicPartition]:
        """Return the partitions with batches in the queue, the least recently drained first."""
        with self._lock:
            return list(self._queues)

    def _why_taken(self, target: TopicPartition, now: float, room: int | None) -> str | None:
        queue = self._queues.get(target)
        if not queue or now < queue[0].not_before or not self.admits(queue[0]):
            return None
        fits = room is None or queue[0].size <= room
        return (self.why_ready(queue, now) or "along") if fits else None

    def _take(self, target: TopicPartition) -> ProducerBatch:
        queue = self._queues.pop(target)
        batch = queue.popleft()
        if queue:
            self._queues[target] = queue  # now the last in turn
        self._leave_open(batch)
        batch.become(BatchState.IN_FLIGHT)
        batch.attempts += 1
        return batch

    def put_back(self, batch: ProducerBatch, now: float) -> None:
        """Queue a batch again, at its old place, to be sent once its back-off is over."""
        batch.become(BatchState.WAITING)
        batch.not_before = now + self.backoff.seconds(batch.attempts)
        with self._lock:
            self._insert(batch)

    def replace(self, batch: ProducerBatch, parts: Sequence[ProducerBatch]) -> None:
        """Queue `parts` in the place of `batch`, which they were split from."""
        batch.become(BatchState.DONE)
        with self._lock:
            self._incomplete |= dict.fromkeys(parts)
            for part in parts:
                self._insert(part)
            del self._incomplete[batch]

    def _insert(self, batch: ProducerBatch) -> None:
        queue = self._queues.setdefault(batch.target, deque())
        place = sum((other.number, other.part) < (batch.number, batch.part) for other in queue)
        queue.insert(place, batch)

    def finish(self, batch: ProducerBatch, tell: Callable[[], object] = lambda: None) -> None:
        """Let go of a batch whose outcome is known; `tell` tells it, and flush() waits until it has."""
        batch.become(BatchState.DONE)
        self.pool.release(batch.reserved)
        try:
            tell()
        finally:
            self._incomplete.pop(batch, None)  # one step for the interpreter: no lock needed

    def remove(self, unwanted: Callable[[ProducerBatch], object]) -> list[ProducerBatch]:
        """Remove and return the queued batches that are `unwanted`."""
        removed = []
        with self._lock:
            for target, queue in list(self._queues.items()):
                out = [batch for batch in queue if unwanted(batch)]
                for batch in out:
                    queue.remove(batch)
                    self._leave_open(batch)
                if not queue:
                    del self._queues[target]
                removed += out
        return removed

    def incomplete(self) -> list[ProducerBatch]:
        """Return the batches without an outcome yet, queued or in flight."""
        return list(self._incomplete)  # one step: no lock, for a collection that began under it may ask, too

    def queued(self) -> dict[TopicPartition, list[ProducerBatch]]:
        """Return a copy of the queues, to look at."""
        with self._lock:
            return {target: list(queue) for target, queue in self._queues.items()}

    def _ready_at(self, first: ProducerBatch) -> float:
        return first.not_before if first.attempts else first.created + self.config.linger_ms / 1000
