"""What went over a proxy, frame by frame, so that a sequence diagram can be drawn from it.

Rules
- One Frame per frame seen, in the order in which the proxy handled them, with what a rule did to it.
- Frames are decoded for recording only where a recorder listens.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from kafkalab.faults.errors import RuleTimeoutError
from kafkalab.faults.frames import PartitionSeen, Request, partitions_in
from kafkalab.faults.messages import RESPONSES, decode, response_body_at
from kafkalab.faults.names import api_key, api_name, error_name

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
    """"passed", or what the proxy did: "dropped", "not forwarded", "reset", "made", "spoilt", or "discarded":
    it came behind a dropped one."""
    producer_id: int = -1
    """The producer that it speaks of beside any partition: InitProducerId's answer, EndTxn and their like."""
    producer_epoch: int = -1
    commits: bool | None = None
    """In an EndTxn request: whether it commits (True) or aborts (False)."""
    raw: bytes = b""
    """The frame itself, for a recorder with `keep=True`."""

    def __str__(self) -> str:
        arrow = f"→ {self.broker}" if self.direction == "request" else f"← {self.broker}"
        parts = " ".join(_shown(seen) for seen in self.partitions)
        told = f" {error_name(self.error)}" if self.error else ""
        fate = "" if self.fate == "passed" else f" [{self.fate}]"
        return f"#{self.connection} {arrow} {self.api} {parts}".rstrip() + told + fate


READ = {
    api_key(name)
    for name in (
        "Produce",
        "Fetch",
        "ListOffsets",
        "FindCoordinator",
        "InitProducerId",
        "AddPartitionsToTxn",
        "AddOffsetsToTxn",
        "TxnOffsetCommit",
        "EndTxn",
    )
}
"""APIs whose answers are decoded for the record: those that speak of partitions or of producers."""


def of_request(connection: int, request: Request, fate: str) -> Frame:
    """Return the record of a request."""
    return Frame(
        time.monotonic(),
        connection,
        request.client_id,
        request.broker,
        "request",
        api_name(request.api_key),
        request.version,
        request.correlation_id,
        len(request.frame),
        request.partitions,
        0,
        fate,
        *_producer(request.message),
        getattr(request.message, "committed", None),
        request.frame,
    )


def of_answer(
    who: tuple[int, str, int],
    what: tuple[int, int, int],
    frame: bytes,
    topic_names: Mapping[Any, str],
    fate: str,
) -> Frame:
    """Return the record of an answer.

    `what` is API key, version and correlation id.
    """
    key, version, correlation_id = what
    message = _message(key, version, frame) if key in READ else None
    partitions = partitions_in(message, topic_names)
    first = next((seen.error for seen in partitions if seen.error), 0)
    return Frame(
        time.monotonic(),
        *who,
        "response",
        api_name(key),
        version,
        correlation_id,
        len(frame),
        partitions,
        getattr(message, "error_code", 0) or first,
        fate,
        *_producer(message),
        raw=frame,
    )


def _message(key: int, version: int, frame: bytes) -> Any | None:
    return decode(RESPONSES, key, version, memoryview(frame)[response_body_at(key, version, frame) :])


def _producer(message: Any | None) -> tuple[int, int]:
    """Return producer id and epoch of a message that has one for itself; -1 and -1 of others."""
    return getattr(message, "producer_id", -1), getattr(message, "producer_epoch", -1)


def _shown(seen: PartitionSeen) -> str:
    what = f"{seen.topic}-{seen.partition}"
    if seen.producer_id >= 0:
        what += f" (pid {seen.producer_id}, epoch {seen.producer_epoch}, seq {seen.sequence})"
    if seen.base_offset >= 0:
        what += f" @{seen.base_offset}"
    return what


class Recorder:
    """Keeps all frames, with their bytes (`raw`) if `keep`; thread-safe."""

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
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
            self._frames.append(frame if self._keep else frame._replace(raw=b""))
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
