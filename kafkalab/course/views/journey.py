"""A record's journey: what happened to one record (or one batch), in lanes, in order.

    trace events -> steps (what a reader is told) -> places (rows and lanes) -> SVG and words

The picture has the order only: no times, no thread ids, no correlation ids, so it is the same in every run;
its live form says how long each step took. A step to another lane stays on its row, so that a hand-over
reads as a horizontal arrow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka.errors import for_code

from kafkalab.course.markup import Node, tag
from kafkalab.course.views.live import Drawing, Explorer, exhibit, later
from kafkalab.course.views.style import WIDTH, arrow, badge, fit, panel, text

CALLER, SENDER, BROKER = range(3)
LANES = ("Your thread", "I/O thread", "Broker")  # the last one gets the broker's number where it is known
LANE_NOTES = ("runs send()", "runs the Sender", "leads the partition")

_MARGIN, _GAP, _TOP, _ROW, _BOX = 16, 44, 62, 72, 54
_LANE = (WIDTH - 2 * _MARGIN - 2 * _GAP) / 3


class Step(NamedTuple):
    """One thing a reader is told: where, what kind of thing, what happened, and the detail."""

    lane: int
    kind: str
    title: str
    detail: str


@dataclass(frozen=True)
class Place:
    """A step with its row; `x` and `y` are the upper left corner of its box."""

    step: Step
    row: int

    @property
    def x(self) -> float:
        """Left edge of the box."""
        return _MARGIN + self.step.lane * (_LANE + _GAP)

    @property
    def y(self) -> float:
        """Upper edge of the box."""
        return _TOP + self.row * _ROW + 6


WHY = {
    "full": "the batch is full",
    "linger": "linger.ms is over",
    "flush": "flush() was called",
    "close": "close() was called",
    "retry": "once more, after an error",
    "memory": "send() waits for memory",
    "along": "a request goes there anyway",
}


def journey(trace: Any, *, record: int = 0, batch: int | None = None) -> Explorer:
    """Return the journey of record number `record`, or of batch number `batch`, of a trace (or its events).

    Numbers count from 0 in the order of send() and of opened batches. LookupError: nothing is known of it.
    """
    events = list(getattr(trace, "events", trace))
    what = f"record {record}" if batch is None else f"batch {batch}"
    if not (chosen := select(events, record=record if batch is None else None, batch=batch)):
        advice = "was the producer made with trace=Trace() and used?"
        raise LookupError(f"The trace knows nothing of {what}; {advice}")
    position = None if batch is not None else position_in_batch(events, record)
    pairs = list(steps(chosen, position))
    nodes = {event.data["node"] for event in chosen if "node" in event.data}
    broker = f"Broker {nodes.pop()}" if len(nodes) == 1 else LANES[BROKER]
    moments = itertools.pairwise([None, *(event for _, event in pairs)])
    times = ["" if before is event else later(before, event) for before, event in moments]
    return draw([step for step, _ in pairs], what, broker, times)


def steps(chosen: Iterable[Any], position: int | None) -> Iterator[tuple[Step, Any]]:
    """Yield what a reader is told, with its event; an answer to acks=all speaks for the followers, too."""
    acks = None
    for event in chosen:
        acks = event.data.get("acks", acks)
        if step := tell(event.name, event.data, position):
            yield step, event
        if event.name == "response" and acks == -1 and not _error(event.data):
            yield COPIED, event


def select(events: Iterable[Any], *, record: int | None, batch: int | None) -> list[Any]:
    """Return the events of one record and of the batch it went into, or of one batch, in order."""
    events = list(events)
    if record is not None:
        joins = (
            each.data["batch"] for each in events if each.name == "appended" and _is(each, record=record)
        )
        batch = next(joins, None)
    return [
        event
        for event in events
        if _concerns(event, record, batch) and not _opened_by_other(event, events, record)
    ]


def _concerns(event: Any, record: int | None, batch: int | None) -> bool:
    if "record" in event.data:
        return bool(event.data["record"] == record)
    return batch is not None and (_is(event, batch=batch) or batch in event.data.get("batches", ()))


def _opened_by_other(event: Any, events: Sequence[Any], record: int | None) -> bool:
    # The batch was opened for its first record; in another record's journey that is not a step.
    if event.name != "new_batch" or record is None:
        return False
    joined = [other for other in events if other.name == "appended" and _is(other, batch=event.data["batch"])]
    return bool(joined) and joined[0].data.get("record") != record


def _is(event: Any, **values: int) -> bool:
    return all(event.data.get(name) == value for name, value in values.items())


def position_in_batch(events: Sequence[Any], record: int) -> int | None:
    """Return how many records went into the record's batch before it; None if it never went into one."""
    appended = [event.data for event in events if event.name == "appended"]
    batches = {data["record"]: data["batch"] for data in appended}
    records = [data["record"] for data in appended if data["batch"] == batches.get(record)]
    return records.index(record) if record in records else None


# event: lane, kind, title, what is told in the detail (by _details below)
_TABLE = {
    "send": (CALLER, "record", "send()"),
    "intercepted": (CALLER, "record", "Interceptors"),
    "serialized": (CALLER, "record", "Serializers"),
    "partitioned": (CALLER, "record", "Partitioner"),
    "new_batch": (CALLER, "batch", "A batch is opened"),
    "appended": (CALLER, "batch", "Accumulator"),
    "drained": (SENDER, "batch", "The batch is drained"),
    "request": (SENDER, "request", "Produce request"),
    "response": (BROKER, "broker", "Appended to the log"),
    "completed": (SENDER, "answer", "Future and callback"),
    "retried": (SENDER, "failure", "Back into the queue"),
    "failed": (SENDER, "failure", "Future and callback"),
    "refused": (CALLER, "failure", "Refused by send()"),
}


COPIED = Step(BROKER, "broker", "Copied by followers", "all in the ISR have it")


def tell(name: str, data: Mapping[str, Any], position: int | None = None) -> Step | None:
    """Return what a reader is told of an event, None if nothing.

    `position` is the record's place in its batch, which turns a batch's first offset into the record's.
    """
    if name not in _TABLE:
        return None
    lane, kind, title = _TABLE[name]
    if name == "response" and _error(data):
        kind, title = "failure", "Refused"
    return Step(lane, kind, title, _details(name, data, position))


def _details(name: str, data: Mapping[str, Any], position: int | None) -> str:
    where = f"{data.get('topic', '')}-{data.get('partition', '')}"
    match name:
        case "send" | "intercepted":
            by_default = f"to topic {data.get('topic')}" if name == "send" else "each may change the record"
            return _fields(data) or by_default
        case "serialized":
            return _sizes(data)
        case "partitioned":
            return f"partition {data.get('partition')}"
        case "new_batch" | "appended":
            return f"for {where}" if name == "new_batch" else f"joins a batch of {where}"
        case "drained":
            return WHY.get(str(data.get("why")), str(data.get("why", "")))
        case "request":
            return _to_node(data)
        case _:
            return _error(data) or _offset(data, position)


def _error(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    if isinstance(error, int):
        return str(for_code(error).__name__.removesuffix("Error")) if error else ""
    return type(error).__name__ if isinstance(error, BaseException) else str(error or "")


def _offset(data: Mapping[str, Any], position: int | None) -> str:
    base = data.get("base_offset")
    if not isinstance(base, int) or base < 0:
        return "no offset is known"
    return f"from offset {base}" if position is None else f"at offset {base + position}"


def _to_node(data: Mapping[str, Any]) -> str:
    many = len(data.get("batches", ()))
    return f"to broker {data.get('node')}, {many} batch{'' if many == 1 else 'es'}"


def _fields(data: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {data[name]!r}" for name in ("key", "value") if data.get(name) is not None)


def _sizes(data: Mapping[str, Any]) -> str:
    sizes = [f"{name} {len(data[name])} B" for name in ("key", "value") if data.get(name) is not None]
    return ", ".join(sizes) or "nothing to serialize"


def place(told: Sequence[Step]) -> list[Place]:
    """Give each step a row: the next one in its lane, or the same row in a lane to the right."""
    places: list[Place] = []
    for step in told:
        before = places[-1] if places else None
        row = 0 if before is None else before.row + (step.lane <= before.step.lane)
        places.append(Place(step, row))
    return places


def draw(
    told: Sequence[Step], what: str, broker: str = LANES[BROKER], times: Sequence[str] | None = None
) -> Explorer:
    """Return the picture of `told` steps; `broker` names the third lane, `times` go to the live form."""
    names = (*LANES[:BROKER], broker)
    places = place(told)
    bottom = _TOP + (places[-1].row + 1) * _ROW + 4
    words = [f"{n}. {names[step.lane]}: {step.title}, {step.detail}" for n, step in enumerate(told, start=1)]
    waits = times or [""] * len(words)
    details = [f"{each} ({wait})" if wait else each for each, wait in zip(words, waits, strict=True)]
    arrows = [_arrow(before, after) for before, after in itertools.pairwise(places)]
    boxes = [_box(n, each, details[n - 1]) for n, each in enumerate(places, start=1)]
    svg = panel(bottom + 40, *_lanes(names, bottom), *arrows, *boxes, _legend(bottom + 22))
    alt = f"The journey of {what} in {len(told)} steps: {', '.join(step.title for step in told)}."
    return exhibit(Drawing(svg, alt, "\n".join(words)), "step", unfolds=True)


def _lanes(names: Sequence[str], bottom: float) -> list[Node]:
    parts = []
    for number, (name, note) in enumerate(zip(names, LANE_NOTES, strict=True)):
        x = _MARGIN + number * (_LANE + _GAP)
        parts += [
            tag("rect", x=x - 8, y=12.0, width=_LANE + 16, height=bottom - 12, rx=8, class_="lane"),
            text(x + 4, 36, name, "title"),
            text(x + 4, 53, note, "small muted"),
        ]
    return parts


def _box(number: int, at: Place, detail: str) -> Node:
    step = at.step
    return tag(
        "g",
        tag("rect", x=at.x, y=at.y, width=_LANE, height=_BOX, rx=7, class_=f"{step.kind}-box"),
        badge(step.kind, at.x + 22, at.y + _BOX / 2, str(number)),
        text(at.x + 44, at.y + 23, fit(step.title, _LANE - 52), "title"),
        text(at.x + 44, at.y + 42, fit(step.detail, _LANE - 48), "mono muted"),
        data_detail=detail,
    )


def _arrow(before: Place, after: Place) -> Node:
    # What travels gives the arrow its colour: the batch to the Sender, the request there, the answer back.
    kind = before.step.kind if after.step.lane > before.step.lane else after.step.kind
    middle = before.y + _BOX / 2
    if after.step.lane == before.step.lane:
        x = before.x + _LANE / 2
        return arrow([(x, before.y + _BOX), (x, after.y - 1)], kind)
    if after.row == before.row:
        return arrow([(before.x + _LANE, middle), (after.x - 1, middle)], kind)
    # Back to the left: down from the box, then across into the next one's right edge.
    x, end = before.x + _LANE / 2, after.y + _BOX / 2
    return arrow([(x, before.y + _BOX), (x, end), (after.x + _LANE + 1, end)], kind)


def _legend(y: float) -> Node:
    names = {
        "record": "record",
        "batch": "batch",
        "request": "request",
        "broker": "broker",
        "answer": "acknowledgement",
        "failure": "failure",
    }
    parts, x = [], float(_MARGIN + 4)
    for kind, name in names.items():
        parts += [badge(kind, x + 8, y, ""), text(x + 28, y + 5, name, "small muted")]
        x += 60 + 7.4 * len(name)
    return tag("g", *parts)
