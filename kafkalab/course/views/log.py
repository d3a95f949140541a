"""A topic's log: partitions as rows, records in the order of their offsets, with key and value.

Long partitions show their ends; how many records lie between is written in the gap. Offsets that no record
has (control records, compaction) simply do not appear: offsets are positions, not a count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.style import WIDTH, fit, panel, text

_LABEL, _MARGIN, _CELL, _HEIGHT, _ROW, _TOP = 104, 16, 102, 50, 62, 46
_FITTING = int((WIDTH - _LABEL - 2 * _MARGIN) // _CELL)


class Cell(NamedTuple):
    """One record as drawn; a gap has `offset` None and says in `value` what it stands for."""

    offset: int | None
    key: str
    value: str


def log_picture(cluster: Any, topic: str, *, isolation: str = "read_uncommitted") -> Picture:
    """Return the log of `topic` as it is now; `isolation` as in a consumer."""
    records = cluster.read(topic, isolation=isolation)
    return draw(records, topic.removeprefix(cluster.prefix), len(cluster.partitions(topic)))


def draw(records: Iterable[Any], topic: str, partitions: int) -> Picture:
    """Return the picture of `records` (partition, offset, key, value) of a topic."""
    by_partition: dict[int, list[Any]] = defaultdict(list)
    for record in records:
        by_partition[record.partition].append(record)
    rows = [_row(number, cells(by_partition[number])) for number in range(partitions)]
    svg = panel(_TOP + partitions * _ROW + 8, text(_MARGIN + 4, 30, f"Log of {topic}", "title"), *rows)
    words = [_words(number, by_partition[number]) for number in range(partitions)]
    counts = Counter({number: len(by_partition[number]) for number in range(partitions)})
    alt = (
        f"The log of topic {topic}: "
        + ", ".join(f"partition {n}: {counts[n]} records" for n in range(partitions))
        + "."
    )
    return Picture(svg, alt, "\n".join([f"Log of {topic}", *words]))


def cells(records: Sequence[Any]) -> list[Cell]:
    """Return what fits on one row: all records, or both ends with the number of those between."""
    drawn = [Cell(record.offset, _text(record.key), _text(record.value)) for record in records]
    if len(drawn) <= _FITTING:
        return drawn
    head, tail = _FITTING // 2, _FITTING - _FITTING // 2 - 1
    return [*drawn[:head], Cell(None, "", f"{len(drawn) - head - tail} more"), *drawn[-tail:]]


def _text(data: bytes | None) -> str:
    if data is None:
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "0x" + data.hex()


def _words(number: int, records: Sequence[Any]) -> str:
    shown = [f"{c.offset}: {_pair(c)}" if c.offset is not None else f"({c.value})" for c in cells(records)]
    return f"  partition {number}: {', '.join(shown) or '(empty)'}"


def _pair(cell: Cell) -> str:
    return f"{cell.key}={cell.value}" if cell.key else cell.value


def _row(number: int, drawn: Sequence[Cell]) -> Node:
    y = float(_TOP + number * _ROW)
    label = text(_MARGIN + 4, y + _HEIGHT / 2 + 5, f"partition {number}", "muted")
    left = _LABEL + _MARGIN
    ground = tag(
        "rect", x=left - 4.0, y=y - 4, width=_FITTING * _CELL + 6, height=_HEIGHT + 8, rx=7, class_="lane"
    )
    boxes = [_cell(left + at * _CELL, y, cell) for at, cell in enumerate(drawn)]
    empty = None if drawn else text(left + 10, y + _HEIGHT / 2 + 5, "empty", "small muted")
    return tag("g", label, ground, empty, *boxes)


def _cell(x: float, y: float, cell: Cell) -> Node:
    if cell.offset is None:
        return text(x + _CELL / 2 - 2, y + _HEIGHT / 2 + 5, cell.value, "small muted middle")
    offset = str(cell.offset)
    beside = 14 + 8 * len(offset)
    return tag(
        "g",
        tag("rect", x=x, y=y, width=_CELL - 5, height=_HEIGHT, rx=5, class_="record-box"),
        text(x + 8, y + 18, offset, "small muted"),
        text(x + beside, y + 18, fit(cell.key, _CELL - 8 - beside), "mono record-ink bold"),
        text(x + 8, y + 39, fit(cell.value, _CELL - 18), "mono"),
    )
