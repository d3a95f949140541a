"""Lines with units: one for each series, with its name at its end, its own mark and its own dashes.

    x and series -> points on two scales -> marks, spreads, labels that keep apart -> SVG and words

x that spans more than a factor of 50, or that is no number, is drawn in equal steps, and says so. A sketch
of measured lines shows only whether each clearly rises or falls from its first point to its last, and which
ends highest: that much is the same in every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kafkalab.course.markup import Node, tag
from kafkalab.course.views.bars import Value, head, spread, whisker
from kafkalab.course.views.live import Drawing
from kafkalab.course.views.scales import Scale, number, scale_to
from kafkalab.course.views.style import WIDTH, fit, panel, text

X = float | str

_LEFT, _RIGHT, _TOP, _BOTTOM, _FOOT, _APART = 84, 220, 84, 330, 56, 19
_SLOPE = 60
_END = WIDTH - _RIGHT
_KINDS = ("record", "batch", "request", "answer", "broker")
_DASHES = (None, "7 5", "2 4", "11 4 2 4", "4 3")
_STEEP = 1.5
"""A measured line that changes by less, from first point to last, may go the other way the next time."""
_MARKED = 60
"""Longest line whose points all get a mark."""
_SKETCH_NOTE = "A sketch: how much differs from run to run. Run the cell to see the numbers."


class Series(NamedTuple):
    """One line: its name and (low, median, high) at every x."""

    name: str
    points: tuple[tuple[float, float, float], ...]


def series_of(x: Sequence[X], series: Mapping[str, Sequence[Value]]) -> list[Series]:
    """Return the lines; ValueError when there are none, too many, or one has another length than `x`."""
    if not 1 <= len(series) <= len(_KINDS) or not x:
        raise ValueError(f"A line chart has 1 to {len(_KINDS)} series and at least one x, not {len(series)}.")
    for name, values in series.items():
        if len(values) != len(x):
            raise ValueError(f"Series {name!r} has {len(values)} values for {len(x)} x: give one for each x.")
    return [Series(name, tuple(spread(value) for value in values)) for name, values in series.items()]


def in_steps(x: Sequence[X]) -> bool:
    """Return whether `x` is drawn in equal steps: it is no numbers, or spans more than a factor of 50."""
    numbers = [each for each in x if not isinstance(each, str)]
    positive = [each for each in numbers if each > 0]
    if len(numbers) < len(x) or min(numbers) < 0 or not positive:
        return True
    return max(positive) > 50 * min(positive) or numbers != sorted(set(numbers))


def places(x: Sequence[X]) -> tuple[list[float], list[tuple[float, str]]]:
    """Return where each x is drawn, and the ticks of the axis: (place, label)."""
    if in_steps(x):
        step = (_END - _LEFT) / max(len(x) - 1, 1)
        at = [round(_LEFT + step * n, 2) for n in range(len(x))]
        labels = [_named(each) for each in x]
        every = -(-len(x) // 10)
        return at, list(zip(at, labels, strict=True))[::every]
    numbers = [float(each) for each in x]
    scale = scale_to(max(numbers), _LEFT, _END)
    return [scale.at(each) for each in numbers], [(scale.at(tick), number(tick)) for tick in scale.ticks]


def draw_lines(
    title: str, x: Sequence[X], series: Mapping[str, Sequence[Value]], x_label: str = "", y_label: str = ""
) -> Drawing:
    """Return the lines to scale."""
    lines = series_of(x, series)
    scale = scale_to(max(high for line in lines for _, _, high in line.points), _BOTTOM, _TOP)
    at, ticks = places(x)
    note = f"{x_label} (in equal steps, not to scale)" if in_steps(x) and len(x) > 2 else x_label
    ends = apart([scale.at(line.points[-1][1]) for line in lines], _TOP, _BOTTOM)
    drawn = [_line(n, line, (x, at), scale, ends[n]) for n, line in enumerate(lines)]
    svg = panel(_BOTTOM + _FOOT, *_frame(title, y_label, note), _x_ticks(ticks), _y_ticks(scale), *drawn)
    words = [f"  {line.name}: {_said(x, line)}" for line in lines]
    said = [head(title, y_label), *words]
    return Drawing(svg, f"Line chart: {title}. {', '.join(line.name for line in lines)}.", "\n".join(said))


def draw_sketch(
    title: str, x: Sequence[X], series: Mapping[str, Sequence[Value]], x_label: str = "", y_label: str = ""
) -> Drawing:
    """Return each line as rising, falling or staying; only the order of their ends is to be compared."""
    lines = series_of(x, series)
    order = sorted(lines, key=lambda line: (-line.points[-1][1], line.name))
    step = (_BOTTOM - _TOP - 2 * _SLOPE) / max(len(lines) - 1, 1)
    drawn = [_sketched(n, line, _TOP + _SLOPE + step * order.index(line)) for n, line in enumerate(lines)]
    names = [_named(x[0]), _named(x[-1])]
    ticks = list(zip((float(_LEFT), float(_END)), names, strict=True))
    note = text(_LEFT, _BOTTOM + _FOOT + 10, _SKETCH_NOTE, "small muted")
    svg = panel(_BOTTOM + _FOOT + 24, *_frame(title, y_label, x_label), _x_ticks(ticks), *drawn, note)
    words = [f"  {line.name} {_trend(line)}" for line in lines]
    if len(order) > 1:
        words.append(f"  At the end, the highest first: {', '.join(line.name for line in order)}")
    span = f"{x_label or 'x'} from {names[0]} to {names[1]}"
    return Drawing(svg, f"Sketch: {title}; {span}.", "\n".join([f"{head(title, y_label)}; {span}", *words]))


def _trend(line: Series) -> str:
    first, last = line.points[0][1], line.points[-1][1]
    return "rises" if last > _STEEP * first else "falls" if first > _STEEP * last else "stays"


def _said(x: Sequence[X], line: Series) -> str:
    every = -(-len(x) // 12)
    shown = list(zip(x, line.points, strict=True))[::every]
    return ", ".join(f"{_named(at)}: {_value(*point)}" for at, point in shown)


def _named(x: X) -> str:
    return x if isinstance(x, str) else number(x)


def _value(low: float, middle: float, high: float) -> str:
    return number(middle) if low == high else f"{number(middle)} ({number(low)} to {number(high)})"


def apart(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return heights for labels, as near to `wanted` as they can be without touching."""
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    placed: dict[int, float] = {}
    floor = top
    for n in order:
        placed[n] = max(wanted[n], floor)
        floor = placed[n] + _APART
    over, ceiling = 0.0, bottom
    for n in reversed(order):
        placed[n] = min(placed[n], ceiling - over)
        ceiling = placed[n] - _APART
    return [round(placed[n], 2) for n in range(len(wanted))]


def _frame(title: str, y_label: str, x_label: str) -> list[Node]:
    middle = (_LEFT + _END) / 2
    return [
        text(20, 32, fit(title, WIDTH - 40, 8.2), "title"),
        text(20, 58, y_label, "small muted"),
        tag("path", d=f"M{_LEFT} {_TOP}V{_BOTTOM}H{_END}", class_="rule"),
        text(middle, _BOTTOM + 42, x_label, "small muted middle"),
    ]


def _x_ticks(ticks: Sequence[tuple[float, str]]) -> Node:
    marks = [tag("path", d=f"M{x:g} {_BOTTOM}v5", class_="rule") for x, _ in ticks]
    return tag(
        "g", *marks, *(text(x, _BOTTOM + 20, fit(words, 90), "small muted middle") for x, words in ticks)
    )


def _y_ticks(scale: Scale) -> Node:
    rules = [tag("path", d=f"M{_LEFT} {scale.at(tick):g}H{_END}", class_="rule") for tick in scale.ticks[1:]]
    words = [text(_LEFT - 8, scale.at(tick) + 4, number(tick), "small muted end") for tick in scale.ticks]
    return tag("g", *rules, *words)


def _line(n: int, line: Series, x: tuple[Sequence[X], Sequence[float]], scale: Scale, label: float) -> Node:
    names, at = x
    kind, heights = _KINDS[n], [scale.at(middle) for _, middle, _ in line.points]
    path = "M" + "L".join(f"{left:g} {y:g}" for left, y in zip(at, heights, strict=True))
    every = -(-len(at) // _MARKED)
    points = list(zip(names, at, heights, line.points, strict=True))[::every]
    marks = [
        tag("g", mark(n, left, y), data_detail=f"{line.name}, {_named(name)}: {_value(*point)}")
        for name, left, y, point in points
    ]
    spreads = [
        whisker([(left, scale.at(low)), (left, scale.at(high))], kind)
        for _, left, _, (low, _, high) in points
        if low < high
    ]
    return tag(
        "g",
        tag("path", d=path, class_=f"line {kind}-line", stroke_dasharray=_DASHES[n]),
        *spreads,
        *marks,
        _name(n, line.name, label),
    )


def _sketched(n: int, line: Series, y: float) -> Node:
    start = y + {"rises": _SLOPE, "falls": -_SLOPE, "stays": 0}[_trend(line)]
    path = f"M{_LEFT} {start:g}L{_END} {y:g}"
    way = tag("path", d=path, class_=f"line {_KINDS[n]}-line", stroke_dasharray=_DASHES[n])
    return tag("g", way, mark(n, _LEFT, start), mark(n, _END, y), _name(n, line.name, y))


def _name(n: int, name: str, y: float) -> Node:
    words = text(_END + 34, y + 5, fit(name, _RIGHT - 40, 8.6), f"bold {_KINDS[n]}-ink")
    return tag("g", mark(n, _END + 20, y), words)


def mark(n: int, x: float, y: float) -> Node:
    """Return the sign of the n-th line: each differs in shape."""
    style = f"{_KINDS[n]}-badge"
    if n == 0:
        return tag("circle", cx=float(x), cy=float(y), r=5, class_=style)
    corners = [(x + dx, y + dy) for dx, dy in _SHAPES[n]]
    return tag("polygon", points=" ".join(f"{px:g},{py:g}" for px, py in corners), class_=style)


_SHAPES = {
    1: ((-5, -5), (5, -5), (5, 5), (-5, 5)),
    2: ((0, -6), (6, 5), (-6, 5)),
    3: ((0, -7), (7, 0), (0, 7), (-7, 0)),
    4: ((-6, -5), (6, -5), (0, 6)),
}
