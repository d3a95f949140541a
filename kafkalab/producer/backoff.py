"""How long to wait before trying again (KIP-580; Java: `ExponentialBackoff`).

The accumulator asks its `backoff` about batches; anything with this one method can take its place.
"""

from __future__ import annotations

import random
from typing import NamedTuple, Protocol

_JITTER = 0.2  # +-20 %, so that clients which failed together do not come back together


class Backoff(Protocol):
    """Says how long to wait."""

    def seconds(self, failures: int) -> float:
        """Return the wait after the `failures`-th failure in a row, 1 being the first."""


class ExponentialBackoff(NamedTuple):
    """Double from `initial_ms`, never above `max_ms`."""

    initial_ms: float
    max_ms: float

    def seconds(self, failures: int) -> float:
        """Return the wait after the `failures`-th failure in a row, 1 being the first."""
        exact: float = min(self.initial_ms * 2 ** min(failures - 1, 32), self.max_ms)
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spread, not secrecy
        return min(exact * jitter, self.max_ms) / 1000
