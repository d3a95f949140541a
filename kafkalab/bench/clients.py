"""The producers that are measured, each behind the same four verbs.

Rules
- Every client learns the outcome of every record, in the cheapest way that its library has for it.
- burst() is each client's own loop: a call through common code per record would be part of the figure.
- Settings come by Kafka's names and are translated here; what a library lacks is left out below, by name.
- A library is imported when its client is made, so a missing one hinders nobody else.

Leaves out: the Java client (java_client.py), which lives in a process of another kind.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

OURS = "kafkalab"
POLL_EVERY = 1000
FLUSH_S = 120.0
WINDOW = 20_000
"""Futures that are kept at most."""


Done: TypeAlias = Callable[[bool], None]


class Count(NamedTuple):
    """How many records ended how."""

    acknowledged: int
    failed: int


class Client(Protocol):
    """A producer, open until close()."""

    def burst(self, topic: str, value: bytes, records: int) -> Count:
        """Send `records` times `value` without a pause; return when every outcome is known."""

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Send one record; `done(ok)` is called, on any thread, as soon as its outcome is known."""

    def fill(self, topic: str, value: bytes, most: int) -> int:
        """Send until the client accepts no more, `most` records at most; return how many it took."""

    def close(self) -> None:
        """End at once, whatever is still under way."""


def burst_of_futures(
    send: Callable[[], Any], flush: Callable[[], object], succeeded: Callable[[Any], bool], records: int
) -> Count:
    """Send with a library that gives a future for each record, and ask each.

    Beyond WINDOW futures the oldest is asked first: a program that keeps a million of them pays the garbage
    collector for it.
    """
    waiting: deque[Any] = deque()
    acknowledged = 0
    for _ in range(records):
        waiting.append(send())
        if len(waiting) > WINDOW:
            acknowledged += succeeded(waiting.popleft())
    flush()
    acknowledged += sum(map(succeeded, waiting))
    return Count(acknowledged, records - acknowledged)


class Kafkalab:
    """Ours: futures."""

    def __init__(self, servers: str, settings: Mapping[str, Any], trace: str = "") -> None:
        from kafkalab.producer import Producer, errors  # noqa: PLC0415 - see the rules
        from kafkalab.producer.tracing import Trace  # noqa: PLC0415

        self._full = errors.BufferExhaustedError
        self._producer = Producer(
            bootstrap_servers=servers,
            trace=Trace(records=trace == "records") if trace else None,
            **{name.replace(".", "_"): value for name, value in settings.items()},
        )

    def burst(self, topic: str, value: bytes, records: int) -> Count:
        """Ask every future."""
        send = partial(self._producer.send, topic, value)
        return burst_of_futures(send, self._producer.flush, lambda one: one.exception() is None, records)

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Use a callback, which runs on the I/O thread."""
        future = self._producer.send(topic, value)
        future.add_done_callback(lambda settled: done(settled.exception(0) is None))

    def fill(self, topic: str, value: bytes, most: int) -> int:
        """Keep no futures: they would be the application's memory. A full buffer fails the future at once."""
        for number in range(most):
            future = self._producer.send(topic, value)
            if future.done() and isinstance(future.exception(0), self._full):
                return number
        return most

    def close(self) -> None:
        """Give up what is under way."""
        self._producer.close(0)


class Confluent:
    """librdkafka's: a delivery callback with each record, as its README has it, and a poll() now and then."""

    def __init__(self, servers: str, settings: Mapping[str, Any]) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415

        named = dict(settings)
        buffer = named.pop("buffer.memory", 2**31)
        self._acknowledged = self._failed = 0
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "batch.num.messages": 1_000_000,  # bytes decide, as with the others
                "queue.buffering.max.messages": 10_000_000,  # no burst fills it
                "queue.buffering.max.kbytes": max(1, buffer // 1024),
                **{name: value for name, value in named.items() if name != "max.block.ms"},
            }
        )

    def _delivered(self, error: Any, _: Any) -> None:
        if error is None:
            self._acknowledged += 1
        else:
            self._failed += 1

    def burst(self, topic: str, value: bytes, records: int) -> Count:
        """Count in the callbacks."""
        self._acknowledged = self._failed = 0
        produce, poll, delivered = self._producer.produce, self._producer.poll, self._delivered
        for number in range(records):
            produce(topic, value, on_delivery=delivered)
            if number % POLL_EVERY == 0:
                poll(0)
        self._producer.flush(FLUSH_S)
        return Count(self._acknowledged, self._failed)

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Have a thread poll, so that a callback runs as soon as there is something to tell."""
        if self._poller is None:
            self._poller = threading.Thread(target=self._poll)
            self._poller.start()
        self._producer.produce(topic, value, on_delivery=lambda error, _: done(error is None))

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.1)

    def fill(self, topic: str, value: bytes, most: int) -> int:
        """Stop at the BufferError of a full queue."""
        for number in range(most):
            try:
                self._producer.produce(topic, value)
            except BufferError:
                return number
        return most

    def close(self) -> None:
        """Give up what is under way."""
        self._stop.set()
        if self._poller is not None:
            self._poller.join()
        self._producer.purge()
        self._producer.flush(1)


def _told(future: Any) -> bool:
    future.get(FLUSH_S)
    return bool(future.succeeded())


class KafkaPython:
    """kafka-python's: futures."""

    def __init__(self, servers: str, settings: Mapping[str, Any]) -> None:
        from kafka import KafkaProducer  # noqa: PLC0415

        named = {name.replace(".", "_"): value for name, value in settings.items()}
        named.pop("buffer_memory", None)  # not a setting of its any more
        self._producer: Any = KafkaProducer(bootstrap_servers=servers, **named)

    def burst(self, topic: str, value: bytes, records: int) -> Count:
        """Ask every future."""
        send = partial(self._producer.send, topic, value)
        return burst_of_futures(send, self._producer.flush, _told, records)

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Use a callback, which runs on the I/O thread."""
        future = self._producer.send(topic, value)
        future.add_callback(lambda _: done(True))
        future.add_errback(lambda _: done(False))

    def fill(self, topic: str, value: bytes, most: int) -> int:
        """Refuse: it has no bound on its memory."""
        raise NotImplementedError("kafka-python bounds no memory")

    def close(self) -> None:
        """Give up what is under way."""
        self._producer.close(timeout=0)


class Aiokafka:
    """aiokafka's: futures of an event loop; a burst is one coroutine."""

    _WINDOW = 10_000
    """Futures awaited at a time: its send() gives the loop no chance to tell of errors otherwise."""

    def __init__(self, servers: str, settings: Mapping[str, Any]) -> None:
        self._servers = servers
        self._named = {
            "acks": settings.get("acks", "all"),
            "enable_idempotence": settings.get("enable.idempotence", True),
            "linger_ms": settings.get("linger.ms", 5),
            "max_batch_size": settings.get("batch.size", 16_384),
        }

    def burst(self, topic: str, value: bytes, records: int) -> Count:
        """Start a producer, send, stop; making it is a few ms of the figure."""
        return asyncio.run(self._burst(topic, value, records))

    async def _burst(self, topic: str, value: bytes, records: int) -> Count:
        from aiokafka import AIOKafkaProducer  # noqa: PLC0415

        failed = 0
        async with AIOKafkaProducer(bootstrap_servers=self._servers, **self._named) as producer:
            for start in range(0, records, self._WINDOW):
                window = [
                    await producer.send(topic, value) for _ in range(min(self._WINDOW, records - start))
                ]
                told = await asyncio.gather(*window, return_exceptions=True)
                failed += sum(isinstance(each, BaseException) for each in told)
        return Count(records - failed, failed)

    def send(self, topic: str, value: bytes, done: Done) -> None:
        """Refuse: its place is an event loop of its own."""
        raise NotImplementedError("aiokafka's latency is not measured")

    def fill(self, topic: str, value: bytes, most: int) -> int:
        """Refuse: a full batch makes its send() wait, and no limit is promised."""
        raise NotImplementedError("aiokafka's memory is not measured")

    def close(self) -> None:
        """Do nothing: a burst stops its own producer."""


CLIENTS: Mapping[str, Callable[..., Client]] = {
    OURS: Kafkalab,
    "confluent-kafka": Confluent,
    "kafka-python": KafkaPython,
    "aiokafka": Aiokafka,
}
MODULES: Mapping[str, str] = {
    "confluent-kafka": "confluent_kafka",
    "kafka-python": "kafka",
    "aiokafka": "aiokafka",
}
"""What has to be importable for a client; the package to install has the client's name."""


def opened(name: str, servers: str, settings: Mapping[str, Any], trace: str = "") -> Client:
    """Make the client `name`."""
    return CLIENTS[name](servers, settings, **{"trace": trace} if trace else {})
