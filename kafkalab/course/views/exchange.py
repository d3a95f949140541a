"""What a proxy recorded, told message by message: which arrow, what is written at it, whether it is a retry.

    frames (kafkalab.faults.Frame) -> chosen ones -> Messages, which sequence.py draws

Rules
- Producer ids are relative to the whole recording: "p1" is the first one seen in it. Connections are counted
  per client and broker, so that "a new connection" does not depend on which broker was asked first.
- A request is a retry when the client sent the same bytes (CRC, sequence) for the same partition before and
  had no success: no answer that reached it, or one with an error.
Leaves out: times, which only the live form shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kafkalab.faults.frames import PartitionSeen
from kafkalab.faults.names import error_name
from kafkalab.faults.recorder import Frame

SILENT = {"passed": "", "spoilt": "changed by the proxy", "made": "made by the proxy"}
LOST = {
    "dropped": "lost",
    "discarded": "lost: connection dead",
    "reset": "lost: connection reset",
    "not forwarded": "stopped here",
}
MOST_LINES = 4


class Message(NamedTuple):
    """One arrow: a request to `broker`, or an answer from it."""

    frame: Frame
    title: str
    lines: tuple[str, ...]
    """What it says of each partition, or of a producer."""
    note: str
    """What the proxy did to it; "" where it just passed."""
    failed: bool
    """Lost on its way, or an answer with an error."""
    retry: bool
    """The same bytes once more."""
    anew: bool
    """The first one on a later connection of this client to this broker."""

    @property
    def is_request(self) -> bool:
        """Whether it goes to the broker."""
        return self.frame.direction == "request"

    @property
    def tells_more(self) -> bool:
        """Whether something went wrong with it, or went wrong before."""
        return self.failed or self.retry or bool(self.note)

    @property
    def lost(self) -> bool:
        """Whether it ended at the proxy."""
        return self.frame.fate in LOST


class _Known(NamedTuple):
    """What the whole recording says: relative producer ids, connections, batches still without success."""

    producers: dict[int, str]
    connections: dict[int, int]
    tried: Counter[tuple[object, ...]]


def choose(
    frames: Iterable[Frame], clients: Sequence[str] | None, apis: Sequence[str] | None, topic: str | None
) -> list[Frame]:
    """Return the frames of these clients and APIs (None: all) that speak of `topic` (None: any)."""
    about = {(f.connection, f.correlation_id) for f in frames if topic in {s.topic for s in f.partitions}}
    return [
        frame
        for frame in frames
        if (clients is None or frame.client_id in clients)
        and (apis is None or frame.api in apis)
        and (topic is None or (frame.connection, frame.correlation_id) in about)
    ]


def tell(frames: Sequence[Frame], recording: Sequence[Frame]) -> list[Message]:
    """Return what there is to tell of `frames`, which are some of `recording`, in the same order."""
    known = _Known(_producers(recording), _connections(recording), Counter())
    open_requests: dict[tuple[int, int], Frame] = {}
    begun: set[int] = set()
    told = []
    for frame in frames:
        key = frame.connection, frame.correlation_id
        if frame.direction == "request":
            open_requests[key] = frame
            anew = known.connections[frame.connection] > 1 and frame.connection not in begun
            begun.add(frame.connection)
            told.append(_request(frame, known, anew))
        else:
            _settle(frame, open_requests.pop(key, None), known)
            told.append(_answer(frame, known))
    return told


def _producers(recording: Iterable[Frame]) -> dict[int, str]:
    names: dict[int, str] = {}
    for frame in recording:
        for producer_id in (frame.producer_id, *(seen.producer_id for seen in frame.partitions)):
            if producer_id >= 0:
                names.setdefault(producer_id, f"p{len(names) + 1}")
    return names


def _connections(recording: Iterable[Frame]) -> dict[int, int]:
    # Only those that carried work count: which connection asked for metadata is the client's affair.
    counts: Counter[tuple[str, int]] = Counter()
    numbers: dict[int, int] = {}
    for frame in recording:
        if frame.api == "Produce" and frame.connection not in numbers:
            counts[frame.client_id, frame.broker] += 1
            numbers[frame.connection] = counts[frame.client_id, frame.broker]
    return {frame.connection: numbers.get(frame.connection, 1) for frame in recording}


def _batch(frame: Frame, seen: PartitionSeen) -> tuple[object, ...]:
    return frame.client_id, seen.topic, seen.partition, seen.producer_id, seen.sequence, seen.crc


def _settle(answer: Frame, request: Frame | None, known: _Known) -> None:
    """Forget what was tried once the client has heard of its success."""
    if request is None or answer.fate in LOST:
        return
    refused = {(seen.topic, seen.partition) for seen in answer.partitions if seen.error}
    for seen in request.partitions:
        if (seen.topic, seen.partition) not in refused:
            known.tried.pop(_batch(request, seen), None)


def _request(frame: Frame, known: _Known, anew: bool) -> Message:
    tries = 0
    if frame.api == "Produce":
        batches = [_batch(frame, seen) for seen in frame.partitions if seen.records]
        tries = max((known.tried[batch] for batch in batches), default=0)
        known.tried.update(batches)
    title = f"{frame.api}, retry {tries}" if tries else frame.api
    note = LOST.get(frame.fate, "")
    return Message(frame, title, _lines(frame, known), note, frame.fate in LOST, tries > 0, anew)


def _answer(frame: Frame, known: _Known) -> Message:
    lost = frame.fate in LOST
    title = "answer lost" if lost else "answer"
    note = LOST.get(frame.fate, SILENT.get(frame.fate, frame.fate))
    error = () if frame.partitions or not frame.error else (error_name(frame.error),)
    return Message(
        frame,
        f"{frame.api} {title}",
        (*_lines(frame, known), *error),
        note,
        lost or bool(frame.error),
        False,
        False,
    )


def _lines(frame: Frame, known: _Known) -> tuple[str, ...]:
    lines = [_line(seen, known) for seen in sorted(frame.partitions, key=lambda s: (s.topic, s.partition))]
    if frame.producer_id >= 0:
        verdict = {None: "", True: " commit", False: " abort"}[frame.commits]
        lines.insert(0, f"({known.producers[frame.producer_id]}, {frame.producer_epoch}){verdict}")
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = [f"and {len(lines) - MOST_LINES + 1} more partitions"]
    return tuple(lines)


def _line(seen: PartitionSeen, known: _Known) -> str:
    parts = [f"{seen.topic}-{seen.partition}"]
    if seen.producer_id >= 0:
        parts.append(f"({known.producers[seen.producer_id]}, {seen.producer_epoch}, {seen.sequence})")
    if seen.records:
        parts.append(f"{seen.records} record{'' if seen.records == 1 else 's'}")
    if seen.error:
        parts.append(error_name(seen.error))
    elif seen.base_offset >= 0:
        parts.append(f"base offset {seen.base_offset}")
    return " ".join(parts)
