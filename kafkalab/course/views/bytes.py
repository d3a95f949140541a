"""Bytes, annotated: one line a field, with where it is, its bytes in hex, its value and what it means.

    bytes -> Fields (fields.py) -> Lines (what is shown of each) -> SVG and words

What varies from run to run (ids, CRC, times; compressed bytes) is drawn as "··" and told as "(varies)",
unless `mask=False`. Long fields show their first bytes, long batches their first and last records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.fields import COMPRESSED, RECORDS_SIZE, Field, is_request, parse
from kafkalab.course.views.folding import condense, mark
from kafkalab.course.views.live import Explorer
from kafkalab.course.views.style import WIDTH, fit, panel, text

VARIES = "(varies)"
MOST_CELLS, MOST_BYTES = 8, 512
CELL, ROW, TOP = 23.0, 23, 64
_AT, _HEX, _NAME, _VALUE, _MEANING, _END = 46.0, 58.0, 252.0, 440.0, 568.0, 848.0
MONO, SMALL = 7.7, 6.6


class Line(NamedTuple):
    """What is shown of a field."""

    field: Field
    offset: str
    cells: tuple[str, ...]
    """Its bytes, two digits each; the last is "…" if there are more."""
    value: str

    @property
    def words(self) -> str:
        """The line for those who do not see it."""
        field = self.field
        indent = "  " * (field.depth + 1)
        meaning = f" - {field.meaning}" if field.meaning else ""
        sign = "WRONG " if field.kind == "failure" else ""
        if not field.leaf:
            return f"{indent}{field.name}{meaning}"
        value = f" = {self.value}" if self.value else ""
        return f"{indent}@{self.offset} {' '.join(self.cells)}: {sign}{field.name}{value}{meaning}"

    @property
    def detail(self) -> str:
        """All there is to say of the field, for the live form."""
        field = self.field
        what = f"{field.name} = {self.value}" if self.value else field.name
        meaning = f": {field.meaning}" if field.meaning else ""
        where = f"Bytes {field.start} to {field.end - 1}" if field.size > 1 else f"Byte {field.start}"
        return f"{where}, {what}{meaning}" if field.leaf else f"{what}{meaning}"


def bytes_view(
    raw: bytes, title: str = "", *, mask: bool = True, wrong: Mapping[int, str] | None = None
) -> Explorer:
    """Return a record batch, or a whole request (with its size in front), as annotated hex.

    `raw` may come from `encode_batch`, or from a proxy: FaultProxy(..., record=Recorder(keep=True)) keeps the
    bytes of every frame in `raw`. `wrong` maps offsets to what is wrong there, for the result of an exercise.
    Bytes that are no batch are shown as far as they can be read, and marked where they cannot.

    With `mask` the picture is the same in every run, if the records are: give them a `timestamp_ms`, because
    a time difference of 64 ms takes two bytes.
    """
    title = title or ("A request" if is_request(raw) else "A record batch")
    fields = condense(mark(parse(raw), wrong or {}))
    return Explorer(
        draw(tell(raw, fields, masked=mask), title),
        [line.detail for line in tell(raw, fields, masked=False)],
        "field",
        bytes=raw[:MOST_BYTES].hex(),
        left_out=max(len(raw) - MOST_BYTES, 0),
        ranges=[(part, field.start, field.end) for part, field in enumerate(fields) if field.leaf],
    )


def tell(raw: bytes, fields: Sequence[Field], *, masked: bool = True) -> list[Line]:
    """Return what is shown of the fields; behind compressed bytes no offset is the same everywhere."""
    lines, moved = [], False
    for field in fields:
        hidden = masked and field.varies
        loose = hidden and field.name in (COMPRESSED, RECORDS_SIZE)
        cells = _cells(raw, field, hidden or (masked and field.folded))
        if loose and field.name == RECORDS_SIZE:
            cells = cells[-1:]  # how many bytes a size takes depends on the size
        offset = "··" if moved else str(field.start)
        lines.append(Line(field, offset, cells, VARIES if hidden else field.value))
        moved = moved or loose
    return lines


def _cells(raw: bytes, field: Field, hidden: bool) -> tuple[str, ...]:
    if not field.leaf:
        return ()
    data = raw[field.start : field.start + min(field.size, MOST_CELLS)]
    cells = ["··" if hidden else f"{byte:02x}" for byte in data]
    return (*cells[:-1], "…") if field.size > MOST_CELLS else tuple(cells)


def draw(lines: Sequence[Line], title: str) -> Picture:
    """Return the picture of `lines` under `title`."""
    head = text(16, 29, fit(title, WIDTH - 32, 8.2), "title")
    rows = [_row(number, line) for number, line in enumerate(lines)]
    svg = panel(TOP + ROW * len(lines) + 12, head, *_columns(), *rows)
    faults = sum(line.field.kind == "failure" for line in lines)
    counted = sum(line.field.leaf for line in lines)
    alt = f"{title}: {counted} fields" + (f", {faults} of them wrong." if faults else ".")
    return Picture(svg, alt, "\n".join([title, *(line.words for line in lines)]))


def _columns() -> list[Node]:
    names = {"bytes": _HEX, "field": _NAME, "value": _VALUE, "meaning": _MEANING}
    return [
        text(_AT, 52, "at", "small muted end"),
        *(text(x, 52, name, "small muted") for name, x in names.items()),
    ]


def _row(number: int, line: Line) -> Node:
    field, y = line.field, float(TOP + number * ROW)
    base, indent = y + 16, 9 * field.depth
    ink = f"small {field.kind}-ink bold" if field.kind == "failure" or not field.leaf else "small"
    meant = _MEANING if field.leaf else _VALUE
    return tag(
        "g",
        tag("rect", x=10.0, y=y, width=WIDTH - 20.0, height=ROW, class_="hit"),
        text(_AT, base, line.offset, "mono muted end") if field.leaf else None,
        *hex_boxes(line, _HEX, y),
        text(_NAME + indent, base, fit(_name(field), _VALUE - _NAME - indent - 6, SMALL), ink),
        text(_VALUE, base, fit(line.value, _MEANING - _VALUE - 8, MONO), "mono") if line.value else None,
        text(meant, base, fit(field.meaning, _END - meant, SMALL), ink if "bold" in ink else "small muted"),
        data_part=number,
    )


def _name(field: Field) -> str:
    return f"✕ {field.name}" if field.kind == "failure" else field.name


def hex_boxes(line: Line, x: float, y: float) -> list[Node]:
    """Return the bytes of a line, in a box of their kind's colour, from (x, y)."""
    if not line.cells:
        return []
    box = tag(
        "rect",
        x=x,
        y=y + 2,
        width=CELL * len(line.cells),
        height=ROW - 4,
        rx=4,
        class_=f"{line.field.kind}-box",
    )
    # One text for all, stretched to its box: what a monospaced font measures differs between machines.
    length = CELL * len(line.cells) - 7
    digits = text(x + 3.5, y + 16, " ".join(line.cells), "mono")
    digits.set("textLength", f"{length:g}")
    return [box, digits]
