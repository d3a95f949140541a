"""Measuring a producer over a line of known length: requests, bytes, time, and the latency of each record.

    run = measure(cluster.bootstrap_servers, topic, Load(3_000), answer_s=0.04, batch_size=65_536)
    run.requests, run.throughput, run.percentile(99)

Rules
- A record's clock starts when it is *due*, not when send() gets round to it: who is held up by the record
  before has waited, too (coordinated omission).
- Connections, metadata, producer id and the partition's first acknowledgement come before the clock: a record
  warms up.
- The line is a FaultProxy: no answer to a Produce request leaves sooner than `answer_s` after its request.
  What the broker needs itself is within that time, so use 0 to see the broker.
- One partition: what is seen is the settings, not how records were spread.

Leaves out: CPU time, memory, several partitions; `kafkalab bench` has processes of their own for that.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kafkalab.course import samples
from kafkalab.faults import FaultProxy
from kafkalab.faults.recorder import Frame
from kafkalab.producer import Producer

SETTLE_S = 60.0
LESS, MORE = 0.5, 2.0
"""Below and above these ratios two figures are told apart; machines differ by less."""


class Load(NamedTuple):
    """What a program sends: events of some 180 bytes, one every `every_s`; 0: as fast as it can."""

    records: int
    every_s: float = 0.0


class Run(NamedTuple):
    """What was seen of a load."""

    requests: int
    """Produce requests."""
    bytes: int
    """Of these requests, heads included."""
    out: int
    """Most requests that were unanswered at the same time."""
    seconds: float
    """From the first record's due time to the last acknowledgement."""
    latencies: tuple[float, ...]
    """Seconds from due to acknowledged, in the order of the records."""

    @property
    def throughput(self) -> float:
        """Records per second."""
        return len(self.latencies) / self.seconds

    @property
    def per_request(self) -> float:
        """Records per request, on average."""
        return len(self.latencies) / self.requests

    def percentile(self, percent: float) -> float:
        """Return the latency, in ms, within which so many per cent of the records were acknowledged."""
        if not 0 < percent <= 100:
            raise ValueError(f"percentile({percent!r}): above 0 and at most 100; 50 is the median.")
        ranked = sorted(self.latencies)
        return 1000 * ranked[math.ceil(len(ranked) * percent / 100) - 1]


class Point(NamedTuple):
    """A configuration's place: what it carries when there is much to do, how long it takes in the calm."""

    throughput: float
    """Records per second."""
    latency_ms: float
    """The median."""
    more: str = ""
    """What else is to be said of it."""


BURST, CALM = Load(3_000), Load(25, every_s=0.02)
"""What a point is made of: as fast as it can, and fifty records a second."""


def measure(
    servers: str,
    topic: str,
    load: Load,
    answer_s: float = 0.0,
    bytes_per_s: float | None = None,
    **settings: Any,
) -> Run:
    """Send `load` to partition 0 of `topic` with these settings of our Producer; raises what a record met.

    `bytes_per_s` makes the line thin.
    """
    values = list(samples.json_events(load.records))
    with FaultProxy(servers, record=True) as line:
        with Producer(bootstrap_servers=line.bootstrap_servers, **settings) as producer:
            producer.send(topic, b"warm up", partition=0).result(SETTLE_S)
            before = len(line.frames)
            if answer_s:
                line.delay("Produce", answer_s, times=None)
            if bytes_per_s:
                line.throttle(bytes_per_s)
            began, told = _send(producer, topic, values, load.every_s)
        frames = [frame for frame in line.frames[before:] if frame.api == "Produce"]
    return seen(frames, began, load.every_s, told)


def point(burst: Run, calm: Run) -> Point:
    """Return the place of a configuration that was run with BURST and with CALM."""
    more = f"{burst.requests} requests and {burst.bytes} bytes for the burst, {calm.requests} in the calm"
    return Point(burst.throughput, calm.percentile(50), more)


def _send(producer: Producer, topic: str, values: list[bytes], every_s: float) -> tuple[float, list[float]]:
    """Return when the first record was due, and when each was acknowledged."""
    told = [0.0] * len(values)
    futures = []
    at_ms = int(1000 * time.time())  # one for all: later ones take a byte more, sooner or later
    began = time.perf_counter()
    for number, value in enumerate(values):
        if every_s and (early := began + number * every_s - time.perf_counter()) > 0:
            time.sleep(early)
        future = producer.send(topic, value, partition=0, timestamp_ms=at_ms)
        future.add_done_callback(_stamp(told, number))
        futures.append(future)
    producer.flush()  # the last batch lingers no longer
    for future in futures:
        future.result(SETTLE_S)
    return began, told


def _stamp(told: list[float], number: int) -> Callable[[object], None]:
    def stamp(_: object) -> None:
        told[number] = time.perf_counter()

    return stamp


def seen(frames: Sequence[Frame], began: float, every_s: float, told: Sequence[float]) -> Run:
    """Return what frames and clocks say."""
    requests = [frame for frame in frames if frame.direction == "request"]
    steps = (1 if frame.direction == "request" else -1 for frame in frames)
    latencies = tuple(at - (began + number * every_s) for number, at in enumerate(told))
    size = sum(frame.size for frame in requests)
    return Run(len(requests), size, max(itertools.accumulate(steps), default=0), max(told) - began, latencies)


def beside(value: float, base: float) -> str:
    """Say how `value` compares to `base`, as coarsely as every machine agrees on."""
    ratio = value / base
    return "less than half" if ratio < LESS else "more than double" if ratio > MORE else "about the same"
