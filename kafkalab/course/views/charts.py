"""Charts of a chapter: `bar_chart` and `line_chart`.

What was measured is not the same twice. With `order_only` (bars) or `measured` (lines) the static form, which
is compared, says which is more and not how much; the live form has the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkalab.course.views import bars, lines
from kafkalab.course.views.bars import Value
from kafkalab.course.views.live import Explorer, exhibit


def bar_chart(
    title: str, values: Mapping[str, Value], unit: str = "", *, order_only: bool = False
) -> Explorer:
    """Return a bar for each of `values`: a number, or (low, median, high), in `unit`.

    `order_only`: the values are measured; what is kept says only which is more.
    """
    order = bars.draw_order(title, values, unit) if order_only else None
    return exhibit(bars.draw_bars(title, values, unit), "bar", static=order)


def line_chart(
    title: str,
    x: Sequence[lines.X],
    series: Mapping[str, Sequence[Value]],
    x_label: str = "",
    y_label: str = "",
    *,
    measured: bool = False,
) -> Explorer:
    """Return a line for each of `series`: as many values as `x` has, each a number or (low, median, high).

    Labels carry the units ("latency (ms)"). `measured`: what is kept says only what rises or falls.
    """
    told = (title, x, series, x_label, y_label)
    sketch = lines.draw_sketch(*told) if measured else None
    return exhibit(lines.draw_lines(*told), "point", static=sketch)
