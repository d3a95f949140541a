"""What happened, in the order it happened: the source of every picture in the course.

A trace is any callable `trace(name, **data)`. `Producer(trace=...)` hands it to every step; without
one, a batch costs a few calls of a function that does nothing, and a record none (`kafkalab bench
profile`). `Trace` is the one that keeps a list.

The life of a record, by event name, after `memory` (how much there is in all):
    caller's thread   send, intercepted, serialized, partitioned, memory_wanted, memory_given |
                      memory_refused, new_batch, then appended | refused
    I/O thread        drained, request, response, then completed | failed | retried or split and drained
and of a transaction: transaction_state, coordinator_request, coordinator_answer.
Memory and a new batch are told where they are needed. What has a `record` is told only to a trace that
asks for records; `record` numbers records and `batch` numbers batches, both from 0; `appended` says which
record went into which batch, and how many bytes of it.
"""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple, Protocol


class Event(NamedTuple):
    """One thing that happened: seconds of `time.perf_counter`, thread, name and details."""

    at: float
    thread: str
    name: str
    data: dict[str, Any]


class Tracer(Protocol):
    """What the steps call; `records` says whether it wants to hear of single records."""

    records: bool

    def __call__(self, name: str, **data: Any) -> None:
        """Take note of one event; called on whichever thread it happened."""


class Silence:
    """Nobody listens: the steps call it all the same, once per batch at the most."""

    records = False

    def __call__(self, name: str, **data: Any) -> None:
        """Take no note."""


SILENCE = Silence()


class Trace:
    """Keep every event in `events` (list.append is atomic: no lock needed)."""

    def __init__(self, *, records: bool = True) -> None:
        self.records = records
        self.events: list[Event] = []

    def __call__(self, name: str, **data: Any) -> None:
        """Append one event."""
        self.events.append(Event(time.perf_counter(), threading.current_thread().name, name, data))

    def __repr__(self) -> str:
        return f"<Trace of {len(self.events)} events>"

    def names(self, **matching: Any) -> list[str]:
        """Return the names of the events whose data has all of `matching`, in order."""
        return [event.name for event in self.find(**matching)]

    def find(self, name: str | None = None, **matching: Any) -> list[Event]:
        """Return the events called `name` (any, if None) whose data has all of `matching`."""
        return [
            event
            for event in list(self.events)
            if (name is None or event.name == name) and matching.items() <= event.data.items()
        ]
