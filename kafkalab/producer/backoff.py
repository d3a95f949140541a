"""How long to wait before trying again (KIP-580; Java: `ExponentialBackoff`)."""

from __future__ import annotations

import random
from typing import NamedTuple

_JITTER = 0.2  # +-20 %, so that clients which failed together do not come back together


class ExponentialBackoff(NamedTuple):
    """Double from `initial_ms` up to `max_ms`."""

    initial_ms: float
    max_ms: float

    def seconds(self, failures: int) -> float:
        """Return the wait after the `failures`-th failure in a row, 1 being the first."""
        exact: float = min(self.initial_ms * 2 ** min(failures - 1, 32), self.max_ms)
        return exact * random.uniform(1 - _JITTER, 1 + _JITTER) / 1000  # noqa: S311 - spread, not secrecy
