"""The promise that send() returns.

A batch is acknowledged or refused as a whole, so the outcome belongs to the batch: `Delivery`.
A record's `DeliveryFuture` is three slots that point into it, and costs next to nothing to make.

A batch that had to be split has the outcomes of its parts, and is settled with the last of them.

Rules: an outcome is set once and never changes; callbacks run on the I/O thread, in the order of
the records, each exactly once, before anybody who waits goes on, and what they raise is logged;
waiting is interruptible (Ctrl-C) and leaves everything as it was.

Leaves out: cancelling. A record that was accepted may already be on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Generator, Sequence
from typing import Any

from kafkalab.producer.record import RecordMetadata, TopicPartition

log = logging.getLogger(__name__)
_lock = threading.Lock()  # guards the rare moments of every Delivery: first waiter, callback, outcome


class Delivery:
    """The outcome of one batch: pending, then acknowledged at `base_offset`, or failed with `error`.

    `done` when it is known, `told` when the callbacks have run, too; a batch that was split has `parts`.
    """

    __slots__ = (
        "_callbacks",
        "_event",
        "_teller",
        "base_offset",
        "batch",
        "done",
        "error",
        "log_append_time_ms",
        "on_settled",
        "parts",
        "target",
        "told",
    )

    def __init__(self, target: TopicPartition, batch: int = -1) -> None:
        self.target = target
        self.batch = batch
        self.done = False
        self.error: BaseException | None = None
        self.base_offset: int | None = None
        self.log_append_time_ms = -1
        self.told = False
        self._teller = 0
        self._event: threading.Event | None = None
        self._callbacks: list[tuple[DeliveryFuture, Callable[[DeliveryFuture], object]]] | None = None
        self.parts: Sequence[tuple[int, Delivery]] = ()
        self.on_settled: Callable[[], object] | None = None

    def acknowledge(self, base_offset: int | None, log_append_time_ms: int = -1) -> bool:
        """Settle as stored from `base_offset` on (None: nobody told). False if it was settled before."""
        return self._settle(None, base_offset, log_append_time_ms)

    def fail(self, error: BaseException) -> bool:
        """Settle as failed. False if it was settled before."""
        return self._settle(error, None, -1)

    def split(self, parts: Sequence[tuple[int, Delivery]]) -> None:
        """Let `parts`, each with the index of its first record, be the outcome."""
        self.parts = parts
        for _, part in parts:
            part.on_settled = self._part_settled

    def part_of(self, index: int) -> tuple[Delivery, int]:
        """Return the delivery that has the outcome of record `index`, and the record's index there."""
        for start, part in reversed(self.parts):
            if index >= start:
                return part.part_of(index - start)
        return self, index

    def wait(self, timeout: float | None) -> bool:
        """Wait until the callbacks have run, `timeout` seconds at most; True when the outcome is known.

        A callback that asks gets the outcome at once.
        """
        if self.told or self._teller == threading.get_ident():
            return True
        with _lock:
            if self._event is None:
                self._event = threading.Event()
                if self.told:
                    self._event.set()
        return self._event.wait(timeout) or self.done

    def add_callback(self, future: DeliveryFuture, callback: Callable[[DeliveryFuture], object]) -> None:
        """Call `callback(future)` once settled; at once if it is already."""
        with _lock:
            if not self.done:
                self._callbacks = self._callbacks or []
                self._callbacks.append((future, callback))
                return
        _call(callback, future)

    def _settle(self, error: BaseException | None, base_offset: int | None, log_append_time_ms: int) -> bool:
        with _lock:
            if self.done:
                return False
            self.error, self.base_offset, self.log_append_time_ms = error, base_offset, log_append_time_ms
            self.done = True
            self._teller = threading.get_ident()
            callbacks, self._callbacks = self._callbacks, None
        try:
            for future, callback in callbacks or ():
                _call(callback, future)
            if self.on_settled is not None:
                self.on_settled()
        finally:
            self._wake_waiters()
        return True

    def _part_settled(self) -> None:
        if all(part.done for _, part in self.parts):
            self._settle(None, None, -1)

    def _wake_waiters(self) -> None:
        with _lock:
            self.told = True
            if self._event is not None:
                self._event.set()


class DeliveryFuture:
    """The outcome of one record, as in `concurrent.futures`; also awaitable in any event loop."""

    __slots__ = ("_delivery", "_index", "_timestamp_ms")

    def __init__(self, delivery: Delivery, index: int, timestamp_ms: int) -> None:
        self._delivery = delivery
        self._index = index
        self._timestamp_ms = timestamp_ms

    @property
    def target(self) -> TopicPartition:
        """The partition the record goes to; -1 if it was refused before one was chosen."""
        return self._delivery.target

    @property
    def batch(self) -> int:
        """The number of the batch the record went into, for traces; -1 if it went into none."""
        return self._delivery.batch

    def done(self) -> bool:
        """Tell whether the outcome is known."""
        return self._delivery.done

    def result(self, timeout: float | None = None) -> RecordMetadata:
        """Wait for the acknowledgement and return where the record is.

        `timeout` is in seconds, None waits as long as delivery_timeout_ms allows. Raises TimeoutError
        when it is not known in time (the record may still arrive), else the error of the delivery.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._metadata()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait like `result`; return the error of the delivery, None if it succeeded."""
        delivery = self._delivery
        if not (delivery.told or delivery.wait(timeout)):
            raise TimeoutError(
                f"not known after {timeout} s whether the record was delivered; it may still be"
            )
        return delivery.part_of(self._index)[0].error if delivery.parts else delivery.error

    def add_done_callback(self, callback: Callable[[DeliveryFuture], object]) -> None:
        """Call `callback(future)` when the outcome is known: on the I/O thread, so keep it short."""
        self._delivery.add_callback(self, callback)

    def __await__(self) -> Generator[Any, None, RecordMetadata]:
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            if not settled.done():  # the awaiting task may have been cancelled meanwhile
                settled.set_result(None)

        def tell(_: DeliveryFuture) -> None:
            with contextlib.suppress(RuntimeError):  # nobody awaits it any more, and the loop was closed
                loop.call_soon_threadsafe(wake)

        self.add_done_callback(tell)
        yield from settled
        return self.result(0)

    def __repr__(self) -> str:
        if not self.done():
            return "<DeliveryFuture pending>"
        error = self.exception(0)
        return f"<DeliveryFuture {self._metadata() if error is None else repr(error)}>"

    def _metadata(self) -> RecordMetadata:
        batch, index = self._delivery.part_of(self._index)
        offset = None if batch.base_offset is None else batch.base_offset + index
        timestamp = self._timestamp_ms if batch.log_append_time_ms < 0 else batch.log_append_time_ms
        return RecordMetadata(*batch.target, offset, timestamp)


def failed(topic: str, partition: int | None, error: BaseException) -> DeliveryFuture:
    """Return the future of a record that never got into a batch."""
    delivery = Delivery(TopicPartition(topic, -1 if partition is None else partition))
    delivery.fail(error)
    return DeliveryFuture(delivery, 0, -1)


def _call(callback: Callable[[DeliveryFuture], object], future: DeliveryFuture) -> None:
    try:
        callback(future)
    except Exception:
        log.exception("a delivery callback failed: %r", callback)
