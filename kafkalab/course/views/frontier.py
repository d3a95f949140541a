"""Throughput against latency: each configuration a point, and the frontier of those that none beats.

    points -> which are on the frontier -> log scales -> numbered marks, a staircase, a legend -> SVG

The static form names the configurations and not their places: those are measured. The live form draws them
and, given `measure`, has sliders: "Measure" runs the chosen settings and adds the point.

Rules: measuring runs on a thread of its own, one at a time; an error is shown in full and ends nothing.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import traitlets

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag, xml
from kafkalab.course.measure import Point
from kafkalab.course.views.live import LiveView, script
from kafkalab.course.views.scales import number
from kafkalab.course.views.style import COLOURS, WIDTH, fit, panel, text

KNOBS: Mapping[str, Sequence[Any]] = {
    "batch_size": (4096, 16_384, 65_536, 131_072, 524_288),
    "linger_ms": (0, 5, 20, 50, 100),
    "compression_type": ("none", "snappy", "lz4", "gzip", "zstd"),
    "acks": ("all", 1, 0),
    "max_in_flight_requests_per_connection": (5, 4, 3, 2, 1),
}
"""The sliders: a setting and its values. They start at Kafka's defaults."""
FIRST = {"batch_size": 1, "linger_ms": 1}

_LEFT, _RIGHT, _TOP, _BOTTOM, _FOOT, _ROW = 84, 300, 84, 390, 56, 22
_END = WIDTH - _RIGHT
_NOTE = ("Where each point lies is measured, and", "differs from run to run. Run the cell to see it.")

Points = Mapping[str, Point]


def on_frontier(points: Points) -> list[str]:
    """Return the names of those that no other beats, the slowest first.

    One beats another if it is better in one of the two numbers and no worse in the other.
    """

    def beats(one: Point, other: Point) -> bool:
        places = one.throughput - other.throughput, other.latency_ms - one.latency_ms
        return min(places) >= 0 and max(places) > 0

    kept = [name for name, at in points.items() if not any(beats(each, at) for each in points.values())]
    return sorted(kept, key=lambda name: points[name].throughput)


class LogScale(NamedTuple):
    """Values from `low` to `high` (both 1, 2 or 5 times a power of ten) between two places on a line."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where `value` is."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + (self.end - self.start) * part, 2)

    @property
    def ticks(self) -> list[float]:
        """Return the round numbers on it."""
        return [each for each in _rounds(self.low, self.high) if self.low <= each <= self.high]


def log_scale(values: Sequence[float], start: float, end: float) -> LogScale:
    """Return a scale on which all `values` have room; ValueError if one is not above 0."""
    if not values or min(values) <= 0:
        raise ValueError(f"{list(values)!r}: a logarithmic scale needs values above 0.")
    rounds = _rounds(min(values) / 2, max(values) * 2)
    low = max(each for each in rounds if each <= min(values) / 1.1)
    high = min(each for each in rounds if each >= max(values) * 1.1)
    return LogScale(low, high, start, end)


def _rounds(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in (1, 2, 5)]


def draw(points: Points, title: str) -> Picture:
    """Return all points in their places."""
    across = log_scale([at.throughput for at in points.values()], _LEFT, _END)
    up = log_scale([at.latency_ms for at in points.values()], _BOTTOM, _TOP)
    best = on_frontier(points)
    places = {name: (across.at(at.throughput), up.at(at.latency_ms)) for name, at in points.items()}
    marks = [_mark(n, *places[name], kept=name in best) for n, name in enumerate(points, 1)]
    rows = [_row(n, name, at, kept=name in best) for n, (name, at) in enumerate(points.items(), 1)]
    ticks = [_x_tick(across.at(each), each) for each in across.ticks]
    ticks += [_y_tick(up.at(each), each) for each in up.ticks]
    svg = _panel(len(points), title, *ticks, _stairs([places[name] for name in best]), *marks, *rows)
    words = [f"  {name}: {_told(at)}{'; on the frontier' * (name in best)}" for name, at in points.items()]
    return Picture(svg, f"{title}: on the frontier {', '.join(best)}.", "\n".join([title, *words]))


def sketch(points: Points, title: str) -> Picture:
    """Return the axes, and the names of what was measured."""
    rows = [_name(n, name, kept=False) for n, name in enumerate(points, 1)]
    middle = (_TOP + _BOTTOM) / 2
    note = [text(_LEFT + 12, middle + _ROW * n, line, "small muted") for n, line in enumerate(_NOTE)]
    svg = _panel(len(points), title, *note, *rows)
    words = [title, "  across: records per second; up: median latency (ms); right and low is good"]
    words += [f"  measured: {name}" for name in points]
    return Picture(svg, f"{title}: {', '.join(points)}.", "\n".join([*words, f"  {' '.join(_NOTE)}"]))


def _told(at: Point) -> str:
    return f"{number(at.throughput)} records/s, {number(at.latency_ms)} ms"


def _panel(rows: int, title: str, *children: Node) -> Node:
    bottom = max(_BOTTOM, _TOP + rows * 2 * _ROW)
    return panel(
        bottom + _FOOT,
        text(20, 32, title, "title"),
        text(20, 58, "median latency when calm (ms); lower is better", "small muted"),
        tag("path", d=f"M{_LEFT} {_TOP}V{_BOTTOM}H{_END}", class_="rule"),
        text((_LEFT + _END) / 2, _BOTTOM + 42, "records per second; more is better", "small muted middle"),
        *children,
    )


def _x_tick(x: float, value: float) -> Node:
    label = text(x, _BOTTOM + 20, number(value), "small muted middle")
    return tag("g", tag("path", d=f"M{x:g} {_BOTTOM}v5", class_="rule"), label)


def _y_tick(y: float, value: float) -> Node:
    label = text(_LEFT - 8, y + 4, number(value), "small muted end")
    return tag("g", tag("path", d=f"M{_LEFT} {y:g}H{_END}", class_="rule"), label)


def _stairs(corners: Sequence[tuple[float, float]]) -> Node:
    """Return the line along the best: below and to the right of it nobody is."""
    (x, y), *others = corners
    steps = "".join(f"V{below:g}H{right:g}" for right, below in others)
    return tag("path", d=f"M{_LEFT} {y:g}H{x:g}{steps}V{_BOTTOM}", class_="line answer-line dashed")


def _mark(n: int, x: float, y: float, *, kept: bool) -> Node:
    kind = "answer" if kept else "broker"
    if kept:
        shape = tag("circle", cx=x, cy=y, r=11, class_=f"{kind}-badge")
    else:
        shape = tag("rect", x=x - 10, y=y - 10, width=20, height=20, rx=3, class_=f"{kind}-badge")
    return tag("g", shape, text(x, y + 4.5, str(n), "on-badge"))


def _name(n: int, name: str, *, kept: bool) -> Node:
    y = _TOP + 2 * _ROW * (n - 1)
    label = text(_END + 42, y + 5, fit(name, _RIGHT - 52), "small bold")
    return tag("g", _mark(n, _END + 22, y, kept=kept), label)


def _row(n: int, name: str, at: Point, *, kept: bool) -> Node:
    y = _TOP + 2 * _ROW * (n - 1) + 21
    said = _told(at) + (", frontier" if kept else "")
    return tag("g", _name(n, name, kept=kept), text(_END + 42, y, said, "small muted"))


class FrontierView(LiveView):
    """Points on their scales; with `measure`, sliders that add some."""

    _esm = script("frontier.js")
    drawing = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    knobs = traitlets.Dict().tag(sync=True)
    first = traitlets.Dict(FIRST).tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    colours = traitlets.Dict(COLOURS).tag(sync=True)

    def __init__(self, points: Points, title: str, measure: Callable[..., Point] | None = None) -> None:
        if not points:
            raise ValueError('A frontier needs at least one point: frontier_view({"name": Point(...)}).')
        self.points, self.title, self._measure = dict(points), title, measure
        self._turn = threading.Lock()
        self.picture = sketch(self.points, title)
        knobs = {name: [str(each) for each in values] for name, values in KNOBS.items()}
        super().__init__(knobs=knobs if measure else {})
        self._show()
        self.on_msg(lambda _, message, __: self.order(message["chosen"]))

    @property
    def equivalent(self) -> str:
        """The static form in words."""
        return self.picture.equivalent

    def static(self) -> Picture:
        """Return the form without what was measured."""
        return self.picture

    def order(self, chosen: Mapping[str, int]) -> threading.Thread:
        """Measure the settings whose numbers in KNOBS these are, on a thread, which is returned."""
        settings = {name: values[chosen.get(name, FIRST.get(name, 0))] for name, values in KNOBS.items()}
        settings["enable_idempotence"] = settings["acks"] == "all"
        thread = threading.Thread(target=self._obey, args=(settings,), name="kafkalab-frontier", daemon=True)
        thread.start()
        return thread

    def _obey(self, settings: dict[str, Any]) -> None:
        assert self._measure is not None
        with self._turn:
            self.busy, self.error, self.status = True, "", "Measuring: a burst, then calm traffic …"
            try:
                name = ", ".join(str(settings[each]) for each in KNOBS)
                self.points[name] = self._measure(**settings)
                self._show()
                self.status = f"{name}: {_told(self.points[name])}. {self.points[name].more}"
            except Exception as error:  # noqa: BLE001 - whatever the settings led to is told
                self.error, self.status = f"{type(error).__name__}: {error}", ""
            self.busy = False

    def _show(self) -> None:
        picture = draw(self.points, self.title)
        with self.hold_trait_notifications():
            self.drawing, self.alt = xml(picture.svg), picture.alt


def frontier_view(
    points: Points, title: str = "Throughput and latency", measure: Callable[..., Point] | None = None
) -> FrontierView:
    """Return `points` by name on their scales; with `measure(**settings)` the live form adds more of them."""
    return FrontierView(points, title, measure)
