"""What went over a proxy, frame by frame, so that a sequence diagram can be drawn from it.

Rules
- One Frame per frame seen, in the order in which the proxy handled them; what a rule did to it is told with it.
- Frames are decoded for recording only where a recorder listens.
"""

import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from kafkalab.faults.errors import RuleTimeoutError
from kafkalab.faults.frames import PartitionSeen
from kafkalab.faults.names import error_name

Direction = Literal["request", "response"]


class Frame(NamedTuple):
    """One frame that reached the proxy, or that it made."""

    at: float
    """time.monotonic() as of then."""
    connection: int
    """Number of the connection, from 1."""
    client_id: str
    broker: int
    direction: Direction
    api: str
    version: int
    correlation_id: int
    size: int
    """Bytes, with the 4 of the size itself."""
    partitions: tuple[PartitionSeen, ...] = ()
    """With producer id, epoch and sequence in a Produce request, base offset and error in an answer."""
    error: int = 0
    """The answer's own error code or the first one in it."""
    fate: str = "passed"
    """"passed", or what the proxy did: "dropped", "discarded" (it came behind a dropped one), "made", "spoilt"."""

    def __str__(self) -> str:
        arrow = f"→ {self.broker}" if self.direction == "request" else f"← {self.broker}"
        parts = " ".join(_shown(seen) for seen in self.partitions)
        told = f" {error_name(self.error)}" if self.error else ""
        fate = "" if self.fate == "passed" else f" [{self.fate}]"
        return f"#{self.connection} {arrow} {self.api} {parts}".rstrip() + told + fate


def _shown(seen: PartitionSeen) -> str:
    what = f"{seen.topic}-{seen.partition}"
    if seen.producer_id >= 0:
        what += f" (pid {seen.producer_id}, epoch {seen.producer_epoch}, seq {seen.sequence})"
    if seen.base_offset >= 0:
        what += f" @{seen.base_offset}"
    return what


class Recorder:
    """Keeps all frames; thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._frames: list[Frame] = []

    @property
    def frames(self) -> list[Frame]:
        """A copy of what was seen so far."""
        with self._changed:
            return list(self._frames)

    def record(self, frame: Frame) -> None:
        """Add one frame; called by the proxy."""
        with self._changed:
            self._frames.append(frame)
            self._changed.notify_all()

    def find(self, **wanted: Any) -> list[Frame]:
        """Return the frames whose fields have these values, such as api="Produce", direction="request"."""
        return [f for f in self.frames if all(getattr(f, name) == value for name, value in wanted.items())]

    def wait(self, holds: Callable[["Recorder"], bool], timeout: float = 10.0) -> None:
        """Wait until holds(this recorder); raises RuleTimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self), timeout):
                raise RuleTimeoutError(f"Waited {timeout:g} s in vain; {len(self._frames)} frames were seen.")

    def __str__(self) -> str:
        frames = self.frames
        start = frames[0].at if frames else 0.0
        return "\n".join(f"{frame.at - start:7.3f} {frame}" for frame in frames)
