"""What a trace says about the accumulator: its batches and its memory, at any step.

    events -> State (`state_at`), and one sentence for each event (`told`)

A batch is open, then ready (it takes no more records, or waits to be sent again), in flight, and acknowledged
or failed. How full it is comes from its records; with a trace that does not ask for records, from what left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafkalab.course.views.journey import WHY
from kafkalab.producer.record_batch import HEADER_SIZE

OPEN, READY, IN_FLIGHT, ACKNOWLEDGED, FAILED = "open", "ready", "in flight", "acknowledged", "failed"


@dataclass
class Batch:
    """One batch: `whys` is why it was sent, once for each attempt; `node` where it went last."""

    number: int
    target: str
    limit: int
    reserved: int
    records: int = 0
    size: int = HEADER_SIZE
    stage: str = OPEN
    whys: list[str] = field(default_factory=list)
    node: int | None = None
    error: str = ""

    @property
    def percent(self) -> int:
        """How full it is, of batch_size; at least 1, for there is a header in it."""
        return min(100, max(1, round(100 * self.size / self.limit))) if self.limit else 100

    @property
    def ended(self) -> bool:
        """Whether its outcome is known."""
        return self.stage in (ACKNOWLEDGED, FAILED)


@dataclass
class State:
    """The accumulator after some events; `wanted` are the sizes that callers wait for."""

    memory: int = 0
    batches: dict[int, Batch] = field(default_factory=dict)
    wanted: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Bytes of buffer memory that are free."""
        return self.memory - sum(batch.reserved for batch in self.batches.values() if not batch.ended)

    def rows(self) -> dict[str, list[Batch]]:
        """Return the batches by topic-partition, in the order of partitions."""
        rows: dict[str, list[Batch]] = {}
        for batch in self.batches.values():
            rows.setdefault(batch.target, []).append(batch)
        return dict(sorted(rows.items(), key=lambda row: _natural(row[0])))


def _natural(target: str) -> tuple[str, int]:
    topic, _, partition = target.rpartition("-")
    return topic, int(partition)


def steps(events: Sequence[Any]) -> list[Any]:
    """Return the events that change the accumulator."""
    return [event for event in events if event.name in _CHANGES]


def state_at(events: Sequence[Any]) -> State:
    """Return the state after `events`."""
    state = State()
    for event in events:
        if event.name in _CHANGES:
            _CHANGES[event.name](state, event.data)
    return state


def _opened(state: State, data: Mapping[str, Any]) -> None:
    target = f"{data['topic']}-{data['partition']}"
    for before in state.batches.values():
        if before.target == target and before.stage == OPEN:
            before.stage = READY  # one batch of a partition is open at a time
    number = data["batch"]
    state.batches[number] = Batch(number, target, data.get("limit", 0), data.get("reserved", 0))


def _appended(state: State, data: Mapping[str, Any]) -> None:
    batch = state.batches.get(data["batch"])
    if batch is not None:
        batch.records += 1
        if not batch.whys:  # the I/O thread may have been quicker than this note, and told the whole
            batch.size += data.get("size", 0)


def _drained(state: State, data: Mapping[str, Any]) -> None:
    batch = state.batches[data["batch"]]
    batch.stage = IN_FLIGHT
    if batch.size == HEADER_SIZE:
        batch.size = data.get("size", HEADER_SIZE)
    batch.records = max(batch.records, data.get("records", 0))
    batch.whys.append(str(data["why"]))


def _requested(state: State, data: Mapping[str, Any]) -> None:
    for number in data["batches"]:
        if number in state.batches:
            state.batches[number].node = data["node"]


def _ended(stage: str) -> Any:
    def change(state: State, data: Mapping[str, Any]) -> None:
        if data["batch"] in state.batches:
            state.batches[data["batch"]].stage = stage
            state.batches[data["batch"]].error = str(data.get("error", ""))

    return change


def _memory(state: State, data: Mapping[str, Any]) -> None:
    state.memory = data["total"]


def _served(state: State, data: Mapping[str, Any]) -> None:
    if data["size"] in state.wanted:
        state.wanted.remove(data["size"])


_CHANGES: dict[str, Any] = {
    "memory": _memory,
    "new_batch": _opened,
    "appended": _appended,
    "drained": _drained,
    "request": _requested,
    "completed": _ended(ACKNOWLEDGED),
    "failed": _ended(FAILED),
    "retried": _ended(READY),
    "split": _ended(READY),
    "memory_wanted": lambda state, data: state.wanted.append(data["size"]),
    "memory_given": _served,
    "memory_refused": _served,
    "refused": lambda state, data: state.refused.append(data["error"]),
}


_SENTENCES = {
    "memory": "A producer is made, with {total:,} bytes of buffer memory.",
    "new_batch": "Batch {batch} is opened for {topic}-{partition}.",
    "appended": "Record {record} joins batch {batch}.",
    "drained": "Batch {batch} leaves: {reason}.",
    "request": "A request to broker {node} carries {carried}.",
    "completed": "Batch {batch} is acknowledged: its memory is free again.",
    "failed": "Batch {batch} has failed: {error}.",
    "retried": "Batch {batch} waits to be sent again: {error}.",
    "split": "Batch {batch} is too large for the broker and is split.",
    "memory_wanted": "send() waits for {size:,} bytes: {left:,} are left.",
    "memory_given": "send() gets the {size:,} bytes it waited for.",
    "memory_refused": "send() has waited for {size:,} bytes in vain.",
    "refused": "Record {record} is refused: {error}.",
}


def told(name: str, data: Mapping[str, Any]) -> str:
    """Return one sentence on an event that changes the accumulator."""
    carried = data.get("batches", ())
    numbers = f"batch{'' if len(carried) == 1 else 'es'} {', '.join(map(str, carried))}"
    reason = WHY.get(str(data.get("why")), data.get("why"))
    return _SENTENCES[name].format(**data, carried=numbers, reason=reason)
