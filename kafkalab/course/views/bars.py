"""Bars with units: each carries its name and its value; a spread is drawn as a line through the bar's end.

    values -> a scale and its ticks -> bars -> SVG and words

A value is a number, or (low, median, high). Scales begin at 0, so that lengths can be compared. Bars "in
order" have ranks for lengths: they say which is more, and not how much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkalab.course.markup import Node, tag
from kafkalab.course.views.live import Drawing
from kafkalab.course.views.scales import Scale, number, scale_to
from kafkalab.course.views.style import WIDTH, fit, panel, text

Value = float | tuple[float, float, float]

_MARGIN, _LABEL, _TOP, _ROW, _BAR, _FOOT = 20, 190, 58, 40, 22, 54
_ORDER_NOTE = "In order, the most first. How much differs from run to run: run the cell to see."


class Bar(NamedTuple):
    """One bar: `low` and `high` are its spread, equal to `value` when there is none."""

    name: str
    low: float
    value: float
    high: float

    @property
    def spreads(self) -> bool:
        """Whether there is a spread to draw."""
        return self.low < self.high


def spread(value: Value) -> tuple[float, float, float]:
    """Return (low, median, high); ValueError if they are not in this order or below 0."""
    low, middle, high = value if isinstance(value, tuple) else (value, value, value)
    if not 0 <= low <= middle <= high:
        raise ValueError(f"{value!r} is no value of a chart: 0 <= low <= median <= high, or one number >= 0.")
    return low, middle, high


def bars(values: Mapping[str, Value]) -> list[Bar]:
    """Return one bar for each of `values`, in their order."""
    if not values:
        raise ValueError('A bar chart needs at least one bar: bar_chart("title", {"label": 1.0}).')
    return [Bar(str(name), *spread(value)) for name, value in values.items()]


def draw_bars(title: str, values: Mapping[str, Value], unit: str = "") -> Drawing:
    """Return bars to scale, each with its value written at its end."""
    rows = bars(values)
    left, right = _MARGIN + _LABEL, WIDTH - _MARGIN - 110
    scale = scale_to(max(row.high for row in rows), left, right)
    bottom = float(_TOP + len(rows) * _ROW)
    drawn = [_bar(row, _TOP + at * _ROW, scale, unit) for at, row in enumerate(rows)]
    svg = panel(bottom + _FOOT, _title(title), *_x_axis(scale, _TOP - 6, bottom, unit), *drawn)
    words = [f"  {row.name}: {_said(row, unit)}" for row in rows]
    return Drawing(svg, f"Bar chart: {title}. {len(rows)} bars.", "\n".join([head(title, unit), *words]))


def draw_order(title: str, values: Mapping[str, Value], unit: str = "") -> Drawing:
    """Return bars that only say which is more: lengths are ranks, equal values share one."""
    rows = sorted(bars(values), key=lambda row: (-row.value, row.name))
    ranks = sorted({row.value for row in rows})
    step = (WIDTH - 2 * _MARGIN - _LABEL) / len(ranks)
    bottom = float(_TOP + len(rows) * _ROW)
    drawn = [
        _ordered(row, len(ranks) - rank, _TOP + at * _ROW, step * (rank + 1))
        for at, row in enumerate(rows)
        for rank in [ranks.index(row.value)]
    ]
    svg = panel(bottom + 40, _title(title), *drawn, text(_MARGIN, bottom + 22, _ORDER_NOTE, "small muted"))
    words = [f"  {len(ranks) - ranks.index(row.value)}. {row.name}" for row in rows]
    first = f"{head(title, unit)}, the most first"
    return Drawing(svg, f"{title}: the order of {len(rows)} values.", "\n".join([first, *words]))


def head(title: str, unit: str) -> str:
    """Return the first line of a chart in words."""
    return f"{title} ({unit})" if unit else title


def _said(row: Bar, unit: str) -> str:
    value = f"{number(row.value)} {unit}".rstrip()
    return f"{value} (from {number(row.low)} to {number(row.high)})" if row.spreads else value


def _title(title: str) -> Node:
    return text(_MARGIN, 32, fit(title, WIDTH - 2 * _MARGIN, 8.2), "title")


def _x_axis(scale: Scale, top: float, bottom: float, unit: str) -> list[Node]:
    lines = [
        tag(
            "g",
            tag("path", d=f"M{scale.at(tick):g} {top:g}V{bottom:g}", class_="rule"),
            text(scale.at(tick), bottom + 18, number(tick), "small muted middle"),
        )
        for tick in scale.ticks
    ]
    middle = (scale.start + scale.end) / 2
    return [*lines, text(middle, bottom + 40, unit, "small muted middle")]


def _bar(row: Bar, y: float, scale: Scale, unit: str) -> Node:
    left, end, middle = scale.start, scale.at(row.value), y + _BAR / 2
    value = f"{number(row.value)} {unit}" if len(unit) < 4 else number(row.value)
    beside = max(end, scale.at(row.high)) + 9
    ends = [(scale.at(row.low), middle), (scale.at(row.high), middle)]
    return tag(
        "g",
        text(_MARGIN, middle + 5, fit(row.name, _LABEL - 10), ""),
        tag("rect", x=left, y=float(y), width=max(end - left, 1.0), height=_BAR, rx=3, class_="record-box"),
        whisker(ends, "broker") if row.spreads else None,
        text(beside, middle + 5, value.strip(), "bold"),
        data_detail=f"{row.name}: {_said(row, unit)}",
    )


def whisker(ends: Sequence[tuple[float, float]], kind: str) -> Node:
    """Return the sign of a spread: a line between two `ends`, with a stroke across each."""
    (x0, y0), (x1, y1) = ends
    across = "v12" if y0 == y1 else "h12"
    strokes = "".join(f"M{x - 6 * (y0 != y1):g} {y - 6 * (y0 == y1):g}{across}" for x, y in ends)
    return tag("path", d=f"M{x0:g} {y0:g}L{x1:g} {y1:g}{strokes}", class_=f"line {kind}-line")


def _ordered(row: Bar, at: int, y: float, length: float) -> Node:
    left, middle = float(_MARGIN + _LABEL), y + _BAR / 2
    return tag(
        "g",
        text(_MARGIN, middle + 5, fit(row.name, _LABEL - 10), ""),
        tag("rect", x=left, y=float(y), width=length, height=_BAR, rx=3, class_="record-box dashed"),
        text(left + 10, middle + 5, f"{at}.", "small record-ink bold"),
    )
