"""How a log is drawn: partitions as rows, records as boxes in the order of offsets, flags where reading ends.

Records are blue; one that is there twice is red and says which one it equals; markers of transactions are
grey; what a consumer does not get is dashed and says why. Long rows show both ends and all that is
noteworthy; how many records lie between is written there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kafkalab.course.markup import Node, tag
from kafkalab.course.views.eliding import fitting
from kafkalab.course.views.live import Drawing, Explorer, exhibit
from kafkalab.course.views.log_cells import (
    ABOVE,
    GAP,
    MARKER,
    RECORD,
    Cell,
    Lane,
    Partition,
    worth,
)
from kafkalab.course.views.style import WIDTH, fit, panel, text

_LABEL, _MARGIN, _TOP, _LINE, _BETWEEN, _LANES = 98, 16, 46, 18, 18, 6
_LEFT = _LABEL + _MARGIN
_TRACK = WIDTH - _LEFT - _MARGIN
_NARROW, _WIDE, _FLAG, _ROWS = 72, 130, 20, 2
NO_LEADER = "no leader: nobody can read or write it"

# short name on the flag: (the field of offsets, its full name, what it means)
FLAGS = {
    "LSO": ("last_stable", "last stable offset", "read_committed reads up to here"),
    "HW": ("high_watermark", "high watermark", "consumers read up to here"),
    "end": ("log_end", "log end", "the next record's offset"),
}


class Flag(NamedTuple):
    """Where reading ends: `left` is how many cells are left of it, `names` are keys of FLAGS."""

    left: int
    names: tuple[str, ...]
    offset: int

    def label(self) -> str:
        """Return what is written at the flag."""
        return f"{' = '.join(self.names)} {self.offset}"

    def words(self) -> str:
        """Return the same with full names."""
        return f"{' = '.join(FLAGS[name][1] for name in self.names)} {self.offset}"


class Grid(NamedTuple):
    """The size of cells, the same in all rows of a picture."""

    width: int
    height: int

    @property
    def room(self) -> int:
        """How many cells a row has; a flag's label fits behind the last one."""
        return (_TRACK - 8) // self.width


def flags(offsets: Any, row: Sequence[Cell]) -> list[Flag]:
    """Return a flag for each offset that ends reading; equal ones share one."""
    said: dict[int, list[str]] = {}
    for name, (field, _, _) in FLAGS.items():
        if name != "LSO" or offsets.last_stable < offsets.high_watermark:
            said.setdefault(getattr(offsets, field), []).append(name)
    before = [cell.offset for cell in row if cell.offset is not None]
    return [Flag(sum(at < offset for at in before), tuple(names), offset) for offset, names in said.items()]


def grid(every: Sequence[Cell]) -> Grid:
    """Return cells as small as their longest text allows."""
    widest = max((_width(cell) for cell in every), default=0.0)
    lines = 2 + any(cell.numbers for cell in every) + any(cell.note for cell in every)
    return Grid(round(min(max(_NARROW, widest), _WIDE)), 14 + _LINE * lines)


def _width(cell: Cell) -> float:
    mono = max(len(cell.key) + len(str(cell.offset)) + 1, len(cell.value))
    return 22 + max(7.6 * mono, 7.0 * len(cell.numbers), 7.6 * len(cell.note))


def draw(topic: str, rows: Sequence[tuple[Partition, Sequence[Lane]]], *, bounds: bool) -> Explorer:
    """Return the picture of `rows`: partitions with their lanes, and flags if `bounds`."""
    size = grid([cell for _, row in rows for lane in row for cell in lane.cells])
    parts: list[Node] = [text(_MARGIN + 4, 30, fit(f"Log of {topic}", WIDTH - 40, 8.2), "title")]
    words, counts, seen = [f"Log of {topic}"], [], set[str]()
    y = float(_TOP)
    for found, row in rows:
        stand = flags(found.offsets, row[0].cells) if bounds and row else []
        node, height = _partition(found.number, row, stand, y, size)
        parts.append(node)
        y += height + _BETWEEN
        words += _words(found.number, row, stand)
        counts.append(f"partition {found.number}: {_records(row)} records")
        seen |= {name for flag in stand for name in flag.names}
    keys = [_legend(name, y + 12 + 18 * at) for at, name in enumerate(name for name in FLAGS if name in seen)]
    alt = f"The log of topic {topic}: {', '.join(counts)}."
    svg = panel(y + 18 * len(keys) + 4, *parts, *keys)
    return exhibit(Drawing(svg, alt, "\n".join(words)), "record")


def _records(row: Sequence[Lane]) -> int:
    return sum(cell.kind == RECORD for cell in row[0].cells) if row else 0


def _legend(name: str, y: float) -> Node:
    _, full, meaning = FLAGS[name]
    return text(_MARGIN + 4, y, f"{name}: {full}, {meaning}", "small muted")


def _words(number: int, row: Sequence[Lane], stand: Sequence[Flag]) -> list[str]:
    if not row:
        return [f"  partition {number}: ({NO_LEADER})"]
    said = []
    for lane in row:
        cells = [_at(lane.cells, each) for each in fitting(len(lane.cells), 12, worth(lane.cells))]
        name = f"partition {number}" + (f", read_{lane.name}" if lane.name else "")
        said.append(f"  {name}: {', '.join(cell.words() for cell in cells) or '(empty)'}")
    return [*said, *([f"    {', '.join(flag.words() for flag in stand)}"] if stand else [])]


def _at(row: Sequence[Cell], picked: int | str) -> Cell:
    return row[picked] if isinstance(picked, int) else Cell(GAP, None, value=picked)


def _partition(
    number: int, row: Sequence[Lane], stand: Sequence[Flag], y: float, size: Grid
) -> tuple[Node, float]:
    """Return a partition's drawing and its height."""
    name = text(
        _MARGIN + 4, y + (19 if len(row) > 1 else size.height / 2 + 5), f"partition {number}", "muted"
    )
    if not row:
        said = text(_LEFT + 8, y + size.height / 2 + 5, NO_LEADER, "small failure-ink bold")
        return tag("g", name, _ground(y, size), said), size.height
    needed = dict.fromkeys(near for flag in stand for near in (flag.left - 1, flag.left))
    telling = max((lane.cells for lane in row), key=lambda cells: sum(bool(cell.note) for cell in cells))
    picked = fitting(len(telling), size.room * _ROWS, worth(telling, needed))
    chunks = [picked[at : at + size.room] for at in range(0, len(picked), size.room)] or [[]]
    parts, bottom = [name], y
    for chunk in chunks:
        here = [flag for flag in stand if _chunk(flag, chunks) is chunk]
        node, height = _chunk_drawn(row, chunk, here, bottom, size)
        parts.append(node)
        bottom += height + _LANES
    return tag("g", *parts), bottom - _LANES - y


def _chunk(flag: Flag, chunks: Sequence[Sequence[int | str]]) -> Sequence[int | str]:
    """Return the chunk in which `flag` stands: that of the cell to its right, or else the last."""
    right = (chunk for chunk in chunks if any(isinstance(each, int) and each >= flag.left for each in chunk))
    return next(right, chunks[-1])


def _chunk_drawn(
    row: Sequence[Lane], chunk: Sequence[int | str], stand: Sequence[Flag], y: float, size: Grid
) -> tuple[Node, float]:
    lanes = [_lane(lane, chunk, y + at * (size.height + _LANES), size) for at, lane in enumerate(row)]
    height = len(row) * (size.height + _LANES) - _LANES
    poles = [_pole(flag, _place(flag, chunk, size), y, y + height) for flag in stand]
    return tag("g", *lanes, *poles), height + (_FLAG if stand else 0)


def _lane(lane: Lane, picked: Sequence[int | str], y: float, size: Grid) -> Node:
    cells = [_at(lane.cells, each) for each in picked]
    boxes = [_cell(_LEFT + at * size.width, y, size, cell) for at, cell in enumerate(cells)]
    name = text(_MARGIN + 4, y + size.height - 12, lane.name, "small muted") if lane.name else None
    empty = None if cells else text(_LEFT + 8, y + size.height / 2 + 5, "empty", "small muted")
    return tag("g", name, _ground(y, size), empty, *boxes)


def _ground(y: float, size: Grid) -> Node:
    return tag("rect", x=_LEFT - 4, y=y - 4, width=_TRACK + 4, height=size.height + 8, rx=7, class_="lane")


def _place(flag: Flag, picked: Sequence[int | str], size: Grid) -> float:
    right = [at for at, each in enumerate(picked) if isinstance(each, int) and each >= flag.left]
    return _LEFT + (right[0] if right else len(picked)) * size.width - 2.5


def _pole(flag: Flag, x: float, top: float, bottom: float) -> Node:
    end = x + 7 * len(flag.label()) > WIDTH - _MARGIN
    pole = tag("path", d=f"M{x:g} {top - 4:g}V{bottom + _FLAG:g}", class_="line broker-line")
    words = text(x - 5 if end else x + 5, bottom + 17, flag.label(), "small bold" + (" end" if end else ""))
    return tag("g", pole, words)


def _cell(x: float, y: float, size: Grid, cell: Cell) -> Node:
    if cell.kind == GAP:
        return text(x + size.width / 2 - 2, y + size.height / 2 + 5, cell.value, "small muted middle")
    width = size.width - 5
    box = tag("rect", x=x, y=y, width=width, height=size.height, rx=5, class_=_style(cell))
    return tag("g", box, *_lines(x, y, width, cell), data_detail=cell.detail or None)


def _style(cell: Cell) -> str:
    if cell.absent:
        return "absent dashed"
    if cell.note == ABOVE:
        return "record-box dashed"
    if cell.kind == MARKER:
        return "broker-box"
    return "failure-box" if cell.note else "record-box"


def _lines(x: float, y: float, width: float, cell: Cell) -> list[Node]:
    """Return a cell's texts: offset and key, value, numbers, note; what is kept back shows no content."""
    offset = str(cell.offset)
    beside = 14 + 8 * len(offset)
    lines = [text(x + 8, y + 18, offset, "small muted")]
    if not cell.absent:
        lines.append(text(x + beside, y + 18, fit(cell.key, width - 4 - beside), "mono record-ink bold"))
        style = "bold small broker-ink" if cell.kind == MARKER else "mono"
        lines.append(text(x + 8, y + 36, fit(cell.value, width - 10), style))
    below = [(cell.numbers, "small muted")] if cell.numbers and not cell.absent else []
    if cell.note:
        below.append((cell.note, "small bold failure-ink"))
    under = [
        text(x + 8, y + 36 + _LINE * n, fit(words, width - 8, 7.2), style)
        for n, (words, style) in enumerate(below, 1)
    ]
    return lines + under
