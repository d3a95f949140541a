"""The load: programs that send, each thread with a book (book.py) of what it sent and was told.

Rules
- A producer may have several threads; a thread has one book. Order is judged within a book.
- Records come in bursts of random size, from a seed, at about the rate that the kind says.
- In a transaction the verb that ended it decides: "acked" once committed, "aborted" once aborted, "unknown"
  if neither could be had. Then the producer is replaced, as an application would do.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

from kafka.errors import KafkaError, KafkaTimeoutError

from kafkalab.faults.auditing import Outcome
from kafkalab.faults.soak.book import Book
from kafkalab.producer import Producer

BURST = 100
"""Records in a burst, or a transaction, at most."""
ABORTED = 0.25
"""Of the transactions, this share is aborted."""
TRIES = 5
"""How often a transactional verb that ran out of time is called again."""
BASE: Mapping[str, Any] = {"request_timeout_ms": 5_000}
"""Shorter than Kafka's 30 s, so that a frozen broker makes producers try again."""


@dataclass(frozen=True)
class Kind:
    """One producer: what it sends, and how; each kind has a topic of its own."""

    name: str
    threads: int = 1
    rate: int = 100
    """Records per second of each thread, about."""
    size: int = 100
    """Bytes of a value."""
    keys: int = 0
    """How many keys there are; 0 for records without."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    may_fail: bool = False
    """Whether a record may time out: it is told then, and none is lost, doubled or moved for it."""

    @property
    def topic(self) -> str:
        """Where its records go."""
        return f"soak-{self.name}"

    @property
    def transactional(self) -> bool:
        """Whether it sends in transactions."""
        return "transactional_id" in self.settings


HASTY = {"request_timeout_ms": 1_000, "delivery_timeout_ms": 2_500}
PATIENT = {"transaction_timeout_ms": 600_000}
"""So that no coordinator gives a transaction up: whoever is fenced has met a fault of ours, or of Kafka's."""
KINDS = (
    Kind("plain", threads=3, rate=120),
    Kind("keyed", threads=2, rate=100, keys=50),
    Kind("zstd", rate=120, size=400, settings={"compression_type": "zstd"}),
    Kind("lz4", rate=120, size=400, settings={"compression_type": "lz4", "linger_ms": 50}),
    Kind("hasty", rate=100, settings=HASTY, may_fail=True),
    Kind("tx-1", rate=100, settings={"transactional_id": "soak-1", **PATIENT}),
    Kind("tx-2", rate=100, settings={"transactional_id": "soak-2", "compression_type": "gzip", **PATIENT}),
)


class Program:
    """One thread that sends on its kind's producer until it is told to stop."""

    def __init__(self, kind: Kind, name: str, producer: Producer, stop: threading.Event, seed: str) -> None:
        self.kind = kind
        self.book = Book(name, kind.size)
        self.trouble: list[str] = []
        """What should not have been raised."""
        self.producer = producer
        self.thread = threading.Thread(target=self._run, name=f"soak-{name}")
        self._stop = stop
        self._random = random.Random(seed)  # noqa: S311 - load, not secrecy

    def _run(self) -> None:
        try:
            self.prepare()
            while not self._stop.is_set():
                began, before = time.monotonic(), len(self.book)
                self.turn()
                due = began + (len(self.book) - before) / self.kind.rate
                self._stop.wait(max(0.0, due - time.monotonic()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self.trouble.append(f"{self.book.name}: {type(error).__name__}: {error}")

    def prepare(self) -> None:
        """Do what comes before the first record."""

    def turn(self) -> None:
        """Send a burst."""
        for _ in range(self._random.randint(1, BURST)):
            self.send()

    def send(self) -> None:
        """Send one record; how it ends goes into the book."""
        key = b"%d" % self._random.randrange(self.kind.keys) if self.kind.keys else None
        number = self.book.open()
        future = self.producer.send(self.kind.topic, self.book.value(number), key=key)
        future.add_done_callback(partial(self.book.told, number))


class TransactionalProgram(Program):
    """One that commits and aborts."""

    def __init__(self, open_producer: Callable[[], Producer], *args: Any) -> None:
        super().__init__(*args)
        self._open_producer = open_producer
        self._began = 0.0

    def prepare(self) -> None:
        """Be initialised."""
        _patiently(self.producer.init_transactions)

    def turn(self) -> None:
        """Run one transaction to some end."""
        first, committing = len(self.book), self._random.random() >= ABORTED
        self._began = time.monotonic()
        outcome: Outcome = "acked" if committing else "aborted"
        try:
            self.producer.begin_transaction()
            super().turn()
            _patiently(self.producer.commit_transaction if committing else self.producer.abort_transaction)
        except KafkaError as error:
            outcome = self._give_up(error)
        self.book.settle(range(first, len(self.book)), outcome)

    def _give_up(self, error: KafkaError) -> Outcome:
        """Abort; if even that fails, start anew, which leaves open what became of this one."""
        try:
            _patiently(self.producer.abort_transaction)
        except KafkaError as worse:
            age = f"a transaction {time.monotonic() - self._began:.0f} s old"
            self.trouble.append(f"{self.book.name}: {age}: {error!r}, then abort_transaction(): {worse!r}")
            self.producer.close(timeout=0)
            if not self._stop.is_set():
                self.producer = self._open_producer()
                self.prepare()
            return "unknown"
        return "aborted"


def _patiently(verb: Callable[[], object]) -> None:
    """Call a verb until it is not out of time; a record that is, is another matter."""
    for attempt in range(1, TRIES + 1):
        try:
            verb()
        except KafkaTimeoutError as error:
            if type(error) is not KafkaTimeoutError or attempt == TRIES:
                raise
        else:
            return


class Load:
    """All programs; a context manager that leaves nothing running."""

    def __init__(
        self,
        servers: str,
        seed: int,
        kinds: tuple[Kind, ...] = KINDS,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Open every producer; `settings` override those of kinds without transactions."""
        self._servers = servers
        self._settings = settings or {}
        self._stop = threading.Event()
        self._producers: list[Producer] = []
        self.programs: list[Program] = []
        for kind in kinds:
            self._add(kind, seed)

    def _add(self, kind: Kind, seed: int) -> None:
        open_producer = partial(self._open, kind)
        producer = open_producer()
        for number in range(1, kind.threads + 1):
            name = f"{kind.name}-{number}" if kind.threads > 1 else kind.name
            args = (kind, name, producer, self._stop, f"{seed} {name}")
            made = TransactionalProgram(open_producer, *args) if kind.transactional else Program(*args)
            self.programs.append(made)

    def _open(self, kind: Kind) -> Producer:
        extra = {} if kind.transactional else self._settings
        settings = {**BASE, **kind.settings, **extra, "client_id": kind.topic}
        self._producers.append(Producer(bootstrap_servers=self._servers, **settings))
        return self._producers[-1]

    def start(self) -> None:
        """Begin to send."""
        for program in self.programs:
            program.thread.start()

    def stop(self) -> None:
        """Let every thread finish its turn, then wait for every outcome."""
        self._stop.set()
        for program in self.programs:
            if program.thread.ident is not None:
                program.thread.join()
        for producer in self._producers:
            producer.flush()

    def close(self, timeout: float | None = None) -> None:
        """Close every producer, within `timeout` seconds each."""
        for producer in self._producers:
            producer.close(timeout)

    def count(self, outcome: Outcome) -> int:
        """Return how many records have this outcome so far."""
        return sum(program.book.count(outcome) for program in self.programs)

    @property
    def book_bytes(self) -> int:
        """What the books cost; no leak of the producer's."""
        return sum(program.book.size_bytes for program in self.programs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self.close(None if error is None else 1.0)  # first, so that nobody waits in a verb
        for program in self.programs:
            if program.thread.ident is not None:
                program.thread.join()
