"""What this process holds: memory over time, threads, sockets.

Rules: memory is the resident set less what the load's books cost; it is sampled by a thread of its own and
judged after a warm-up, by the slope of a straight line through the samples.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

import psutil

MB = 1e6
EVERY_S = 2.0
WARM_UP_S = 120.0
"""Left out of account at the beginning; a quarter of the run, if that is less."""


class Sample(NamedTuple):
    """Memory at a moment, in seconds from the start and bytes."""

    seconds: float
    rss: int


class Holdings(NamedTuple):
    """Threads and sockets of this process."""

    threads: frozenset[str]
    sockets: frozenset[str]

    @classmethod
    def now(cls) -> Self:
        """Look."""
        names = (f"{thread.name} ({thread.ident})" for thread in threading.enumerate())
        connections = psutil.Process().net_connections(kind="all")
        return cls(frozenset(names), frozenset(f"{c.laddr} to {c.raddr} (fd {c.fd})" for c in connections))

    def more_than(self, before: Holdings) -> list[str]:
        """Name what was not there before."""
        return sorted(self.threads - before.threads) + sorted(self.sockets - before.sockets)


class Footprint:
    """Samples of this process's memory; `told` hears of each."""

    def __init__(self, known: Callable[[], int], told: Callable[[Sample], object]) -> None:
        """`known` returns the bytes to be left out of account."""
        self.samples: list[Sample] = []
        self._known, self._told = known, told
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-footprint", daemon=True)

    def _run(self) -> None:
        began, process = time.monotonic(), psutil.Process()
        while True:
            rss = process.memory_info().rss - self._known()
            self.samples.append(Sample(time.monotonic() - began, rss))
            self._told(self.samples[-1])
            if self._end.wait(EVERY_S):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


class Trend(NamedTuple):
    """A line through the samples after the warm-up."""

    minutes: float
    """How long was judged."""
    mb_per_minute: float

    @classmethod
    def of(cls, samples: list[Sample]) -> Self:
        """Fit it; flat if there is too little to judge."""
        last = samples[-1].seconds if samples else 0.0
        judged = [sample for sample in samples if sample.seconds >= min(WARM_UP_S, last / 4)]
        if len(judged) < 3:
            return cls(0.0, 0.0)
        minutes = [sample.seconds / 60 for sample in judged]
        slope = statistics.linear_regression(minutes, [sample.rss / MB for sample in judged]).slope
        return cls(minutes[-1] - minutes[0], slope)
