"""The producer's memory: one budget for all partitions (Java: `BufferPool`).

Nothing is really allocated here; Python does that. What counts is the budget: a batch reserves its
bytes before it is opened and gives them back when its outcome is known, so a slow broker makes
send() wait instead of filling the machine.

Rules: first come, first served, so that a large record is not starved by small ones; no wait is
longer than asked; a waiter that gives up or is interrupted takes nothing.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from kafkalab.producer.errors import BufferExhaustedError, ProducerClosedError, RecordTooLargeError
from kafkalab.producer.tracing import SILENCE, Tracer


class BufferPool:
    """`total` bytes, shared; `trace` is told how many, and of waits."""

    def __init__(self, total: int, trace: Tracer = SILENCE) -> None:
        self.total = self.available = total
        self._trace = trace
        trace("memory", total=total)
        self._lock = threading.Lock()
        self._queue: deque[threading.Condition] = deque()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many callers are waiting for memory now."""
        return len(self._queue)

    def reserve(self, size: int, deadline: float, on_wait: Callable[[], object] = lambda: None) -> None:
        """Take `size` bytes, waiting until `deadline` (`time.monotonic()`) at most.

        `on_wait` is told before a wait begins.

        Raises RecordTooLargeError when `size` can never be had, BufferExhaustedError when it could not
        in time, ProducerClosedError when the pool was closed meanwhile.
        """
        if size > self.total:
            limit = f"buffer_memory={self.total}: raise it or send less"
            raise RecordTooLargeError(f"{size} bytes are more than {limit}")
        with self._lock:
            if self._queue or self.available < size:
                self._wait(size, deadline, on_wait)
            self.available -= size

    def release(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._lock:
            self.available += size
            self._wake_first()

    def close(self) -> None:
        """Send every waiter away."""
        with self._lock:
            self._closed = True
            for turn in self._queue:
                turn.notify()

    def _wait(self, size: int, deadline: float, on_wait: Callable[[], object]) -> None:
        turn = threading.Condition(self._lock)
        self._queue.append(turn)
        self._trace("memory_wanted", size=size, left=self.available)
        on_wait()
        try:
            served = turn.wait_for(
                lambda: self._closed or (self._queue[0] is turn and self.available >= size),
                deadline - time.monotonic(),
            )
        finally:
            self._queue.remove(turn)
            self._wake_first()
        self._trace("memory_given" if served and not self._closed else "memory_refused", size=size)
        if self._closed:
            raise ProducerClosedError("the producer was closed while this record waited for memory")
        if not served:
            left = f"({self.available} available): the brokers are slower than this producer"
            full = f"no {size} bytes of buffer_memory={self.total} came free within max_block_ms"
            raise BufferExhaustedError(f"{full} {left}")

    def _wake_first(self) -> None:
        if self._queue:
            self._queue[0].notify()
