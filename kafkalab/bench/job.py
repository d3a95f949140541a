"""What a measured process is told, and what it tells: a job and its outcome, as JSON.

Rules: a job names everything that matters to its figures, settings by Kafka's names; an outcome counts what
the client itself learned of its records, one by one, beside the figures.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self

COMMON: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,
    "max.in.flight.requests.per.connection": 5,
}
"""What all clients have in common, unless a scenario says otherwise."""


class Measure(StrEnum):
    """What is looked at."""

    THROUGHPUT = "throughput"
    """As many records as it can, from the first send to the last acknowledgement."""
    LATENCY = "latency"
    """Single records at a fixed rate, from when each was due until its acknowledgement."""
    MEMORY = "memory"
    """How the process grows while nothing is acknowledged, until the client accepts no more."""


@dataclass(frozen=True)
class Job:
    """One run of one client, in a process of its own."""

    client: str
    measure: Measure
    servers: str
    topic: str
    records: int
    """How many are measured (throughput, latency); memory: how many at most."""
    warm_up: int = 0
    """How many come before, on the same producer; their outcomes are counted, their time is not."""
    value_bytes: int = 100
    settings: Mapping[str, Any] = field(default_factory=dict)
    """By Kafka's names; times in ms, sizes in bytes."""
    trace: str = ""
    """Ours only: "batches" or "records" hands a listener to the producer."""
    rate: int = 1000
    """Records per second (latency)."""

    def as_json(self) -> str:
        """Return what from_json() reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what as_json() wrote."""
        fields = json.loads(text)
        return cls(**fields | {"measure": Measure(fields["measure"])})

    @property
    def value(self) -> bytes:
        """Return the value of every record."""
        return b"x" * self.value_bytes


class Outcome(NamedTuple):
    """What came of a job."""

    acknowledged: int
    """Records that the client reported as delivered, the warm-up's among them."""
    failed: int
    """Records that the client reported as not delivered."""
    figures: Mapping[str, float]
    """By name: records_per_s, cold_records_per_s, cpu_us (a record), p50_ms, p99_ms, grown_mb, accepted."""

    def as_json(self) -> str:
        """Return what from_json() reads."""
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what as_json() wrote."""
        return cls(**json.loads(text))
