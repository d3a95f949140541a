"""Two batches side by side: where they differ (compressed or not, idempotent or not).

    two byte strings -> Lines of each (bytes.py) -> Pairs, matched by field -> SVG and words

What varies from run to run is masked on both sides and does not count as a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.bytes import CELL, MONO, MOST_CELLS, ROW, SMALL, TOP, Line, hex_boxes, tell
from kafkalab.course.views.fields import COMPRESSED, parse
from kafkalab.course.views.folding import RECORDS, SHOWN_RECORDS, condense
from kafkalab.course.views.live import Explorer
from kafkalab.course.views.style import WIDTH, fit, panel, text

_NAME, _LEFT, _RIGHT, _END = 34.0, 190.0, 524.0, 850.0
_VALUE = CELL * MOST_CELLS + 8


class Pair(NamedTuple):
    """One field on both sides; None where a side has no such field."""

    left: Line | None
    right: Line | None

    @property
    def line(self) -> Line:
        """The one that is there."""
        line = self.left or self.right
        assert line is not None
        return line

    @property
    def differs(self) -> bool:
        """Whether bytes or value differ."""
        if self.left is None or self.right is None:
            return True
        return (self.left.cells, self.left.value) != (self.right.cells, self.right.value)


def bytes_compare(
    left: bytes, right: bytes, titles: tuple[str, str] = ("before", "after"), *, mask: bool = True
) -> Explorer:
    """Return two record batches (or requests) field by field, those that differ marked; see `bytes_view`."""
    before, after = parse(left), parse(right)
    packed = any(field.name == COMPRESSED for field in (*before, *after))
    most = 0 if packed else SHOWN_RECORDS
    sides = (left, condense(before, most)), (right, condense(after, most))
    pairs, exact = (match(*(tell(*side, masked=masked) for side in sides)) for masked in (mask, False))
    picture = draw(pairs, titles, _sizes(left, right, titles, exact=not (packed and mask)))
    return Explorer(picture, [_words(pair).strip() for pair in exact], "field")


def match(left: Sequence[Line], right: Sequence[Line]) -> list[Pair]:
    """Return the lines of both sides, those of the same field together."""
    before, after = list(_keys(left)), list(_keys(right))
    pairs = []
    for _, a, b, c, d in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if before[a:b] == after[c:d]:
            pairs += [Pair(*both) for both in zip(left[a:b], right[c:d], strict=True)]
        else:
            pairs += [Pair(line, None) for line in left[a:b]] + [Pair(None, line) for line in right[c:d]]
    return pairs


def _keys(lines: Sequence[Line]) -> Iterator[tuple[str, ...]]:
    above: list[str] = []
    for line in lines:
        name = line.field.name
        above[line.field.depth :] = [RECORDS if name == COMPRESSED else name]
        yield tuple(above)


def _sizes(left: bytes, right: bytes, titles: tuple[str, str], *, exact: bool) -> str:
    if exact:
        return f"{titles[0]}: {len(left)} bytes; {titles[1]}: {len(right)} bytes"
    sign = (len(right) > len(left)) - (len(right) < len(left))
    return f"{titles[1]}: {('as many bytes as', 'more bytes than', 'fewer bytes than')[sign]} {titles[0]}"


def draw(pairs: Sequence[Pair], titles: tuple[str, str], sizes: str) -> Picture:
    """Return the picture of `pairs`; `sizes` says in one line which side is larger."""
    differing = sum(pair.differs for pair in pairs if pair.line.field.leaf)
    title = f"{titles[0]} and {titles[1]}: {differing} fields differ"
    heads = [text(16, 29, fit(title, WIDTH - 32, 8.2), "title")]
    heads += [
        text(x, 52, fit(name, 300, SMALL), "small muted")
        for x, name in zip((_LEFT, _RIGHT), titles, strict=True)
    ]
    rows = [_row(number, pair) for number, pair in enumerate(pairs)]
    bottom = TOP + ROW * len(pairs)
    svg = panel(bottom + 34, *heads, *rows, text(16, bottom + 20, sizes, "small muted"))
    return Picture(svg, f"{title}.", "\n".join([title, *map(_words, pairs), sizes]))


def _row(number: int, pair: Pair) -> Node:
    field, y = pair.line.field, float(TOP + number * ROW)
    ink = "small" if field.leaf and not pair.differs else "small bold"
    ground = "lane" if field.leaf and pair.differs else "hit"
    x = _NAME + 9 * field.depth
    return tag(
        "g",
        tag("rect", x=10.0, y=y, width=WIDTH - 20.0, height=ROW, class_=ground),
        text(18, y + 16, "≠", "bold") if field.leaf and pair.differs else None,
        text(x, y + 16, fit(field.name, _LEFT - x - 4, SMALL), ink),
        *_side(pair.left, _LEFT, y, _RIGHT),
        *_side(pair.right, _RIGHT, y, _END),
        data_part=number,
    )


def _side(line: Line | None, x: float, y: float, end: float) -> list[Node]:
    if line is None:
        return [text(x + 4, y + 16, "not there", "small muted")]
    value = text(x + _VALUE, y + 16, fit(line.value, end - x - _VALUE - 6, MONO), "mono")
    return [*hex_boxes(line, x, y), *([value] if line.value else [])]


def _words(pair: Pair) -> str:
    field = pair.line.field
    indent = "  " * (field.depth + 1)
    if not field.leaf:
        return f"{indent}{field.name}"
    if not pair.differs:
        return f"{indent}{field.name} = {pair.line.value}"
    return f"{indent}DIFFERENT {field.name}: {_value(pair.left)} | {_value(pair.right)}"


def _value(line: Line | None) -> str:
    return "not there" if line is None else line.value or " ".join(line.cells)
