"""The one place that waits: a condition, a deadline, and an error that shows what was seen last.

Rules: conditions look at the outside world (a broker, a process, a file) where nothing can notify us, so they
are polled; every other module calls wait_until() instead of sleeping.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from kafkalab.cluster.errors import WaitTimeoutError

T = TypeVar("T")
PAUSE_S = 0.02
NOT_YET = (OSError,)


def nothing() -> str:
    """Add nothing to the error."""
    return ""


def wait_until(
    what: str,
    look: Callable[[], T],
    holds: Callable[[T], bool] = bool,
    timeout: float = 30.0,
    evidence: Callable[[], str] = nothing,
    not_yet: tuple[type[Exception], ...] = NOT_YET,
) -> T:
    """Call look() until holds(its result); return that result.

    `timeout` is in seconds. Raises WaitTimeoutError with `what`, the last result (or the last exception of
    the kinds `not_yet`) and evidence(), such as the tail of a log.
    """
    deadline = time.monotonic() + timeout
    while True:
        state: object
        try:
            state = seen = look()
            if holds(seen):
                return seen
        except not_yet as error:
            state = error
        if time.monotonic() > deadline:
            raise WaitTimeoutError(
                f"Waited {timeout:g} s in vain until {what}. Last seen: {state!r}. {evidence()}".rstrip()
            )
        time.sleep(PAUSE_S)
