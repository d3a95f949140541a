"""Scales of charts: where a value is drawn, which ticks a reader gets, how numbers are written."""

from __future__ import annotations

import math
from typing import NamedTuple


class Scale(NamedTuple):
    """Values from 0 to `top` on a line from `start` to `end`; `ticks` are round numbers."""

    top: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return where `value` is."""
        return round(self.start + (self.end - self.start) * value / self.top, 2)


def scale_to(highest: float, start: float, end: float, about: int = 5) -> Scale:
    """Return a scale from 0 to the first tick at or above `highest`, with `about` that many steps."""
    step = round_step(highest / about if highest > 0 else 1.0)
    steps = max(1, math.ceil(highest / step - 1e-9))
    return Scale(step * steps, start, end, tuple(step * n for n in range(steps + 1)))


def round_step(wanted: float) -> float:
    """Return 1, 2 or 5 times a power of ten, the first that is at least `wanted`."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * (1 - 1e-9))


def number(value: float) -> str:
    """Write a number as a reader wants it: three digits that matter, thousands apart."""
    if value >= 100 or value == int(value):
        return f"{round(value):,}"
    return f"{value:.3g}"
