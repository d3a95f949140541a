"""What `kafkalab bench` measures: a table of scenarios.

Rules: within a scenario all clients do the same with the same settings, unless the scenario's point is that
they do not (`best-settings`). "Scored" ones are those the project promises something about.

Left out: how they are run (producers.py) and shown (report.py, plot.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kafkalab.bench.clients import OURS
from kafkalab.bench.java_client import JAVA
from kafkalab.bench.job import COMMON, Measure

CONFLUENT, KAFKA_PYTHON, AIOKAFKA = "confluent-kafka", "kafka-python", "aiokafka"
KIB, MIB = 1024, 2**20
BUFFER_MEMORY = 32 * MIB
ALLOWED_GROWTH = 64 * 10**6
"""What a producer may take beyond its buffer_memory, in bytes."""


class Place(StrEnum):
    """What the records are sent to."""

    CLUSTER = "cluster"
    """Three real brokers, three replicas."""
    SINK = "sink"
    """A process that only acknowledges (sink.py)."""
    STALLED = "stalled"
    """One that does not even do that."""


@dataclass(frozen=True)
class Entrant:
    """One column of a scenario: a client and what it has of its own."""

    client: str
    label: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    trace: str = ""

    @property
    def name(self) -> str:
        """Return what it is called in tables and files."""
        return self.label or self.client


@dataclass(frozen=True)
class Scenario:
    """One row: what is measured, where, with what."""

    name: str
    title: str
    entrants: Sequence[Entrant]
    measure: Measure = Measure.THROUGHPUT
    place: Place = Place.CLUSTER
    partitions: int = 3
    value_bytes: int = 100
    records: int = 500_000
    settings: Mapping[str, Any] = field(default_factory=dict)
    scored: bool = True

    def settings_of(self, entrant: Entrant) -> dict[str, Any]:
        """Return all settings of one client, by Kafka's names."""
        return {**COMMON, **self.settings, **entrant.settings}


SHARE: Mapping[str, float] = {KAFKA_PYTHON: 0.15, AIOKAFKA: 0.25}
"""Slow clients send only this share of the records; a rate does not need more."""


def _all(*names: str) -> tuple[Entrant, ...]:
    return tuple(Entrant(name) for name in names)


def _memory(value_bytes: int, records: int) -> Scenario:
    return Scenario(
        f"memory-{value_bytes}B",
        f"growth while a broker is stalled, {value_bytes}-byte values, buffer_memory 32 MiB",
        _all(OURS, CONFLUENT),
        Measure.MEMORY,
        Place.STALLED,
        value_bytes=value_bytes,
        records=records,
        settings={"buffer.memory": BUFFER_MEMORY, "max.block.ms": 1000},
    )


SCENARIOS: tuple[Scenario, ...] = (
    *(
        Scenario(
            f"throughput-{size}KiB",
            f"{size} KiB batches, acks=all, idempotent, 3 replicas",
            _all(OURS, CONFLUENT, JAVA, KAFKA_PYTHON, AIOKAFKA),
            settings={"batch.size": size * KIB},
        )
        for size in (16, 128)
    ),
    *(
        Scenario(
            f"sink-{size}KiB",
            f"{size} KiB batches to a socket that only acknowledges",
            _all(OURS, CONFLUENT),
            place=Place.SINK,
            settings={"batch.size": size * KIB},
        )
        for size in (16, 128)
    ),
    Scenario(
        "latency",
        "single records at 1,000/s, linger 0",
        _all(OURS, CONFLUENT, JAVA, KAFKA_PYTHON),
        Measure.LATENCY,
        records=5_000,
        settings={"linger.ms": 0},
    ),
    *(
        Scenario(
            f"partitions-{count}",
            f"{count:,} partitions, 16 KiB batches",
            _all(OURS, CONFLUENT),
            partitions=count,
            settings={"batch.size": 16 * KIB},
        )
        for count in (3, 1000)
    ),
    _memory(100, 2_000_000),
    _memory(10, 5_000_000),
    Scenario(
        "best-settings",
        "each client at its own best settings",
        (
            Entrant(OURS, settings={"batch.size": 512 * KIB, "linger.ms": 20}),
            Entrant(CONFLUENT, settings={"batch.size": MIB, "linger.ms": 20}),
            Entrant(JAVA, settings={"batch.size": 512 * KIB, "linger.ms": 20, "buffer.memory": 64 * MIB}),
            Entrant(KAFKA_PYTHON, settings={"batch.size": 512 * KIB, "linger.ms": 20}),
            Entrant(AIOKAFKA, settings={"batch.size": 512 * KIB, "linger.ms": 20}),
        ),
        scored=False,
    ),
    Scenario(
        "tracing",
        "the cost of a listener, 16 KiB batches to a socket that only acknowledges",
        (
            Entrant(OURS),
            Entrant(OURS, "batches traced", trace="batches"),
            Entrant(OURS, "records traced", trace="records"),
        ),
        place=Place.SINK,
        records=200_000,
        settings={"batch.size": 16 * KIB},
        scored=False,
    ),
)


def chosen(names: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of these names, all if there are none; a name also stands for all it begins.

    Raises LookupError for an unknown one, with the nearest.
    """
    for name in names:
        if not any(each.name.startswith(name) for each in SCENARIOS):
            known = [each.name for each in SCENARIOS]
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]!r}? " if nearest else ""
            raise LookupError(f"no scenario is called {name!r}: {hint}There are {', '.join(known)}.")
    return [each for each in SCENARIOS if not names or each.name.startswith(tuple(names))]
