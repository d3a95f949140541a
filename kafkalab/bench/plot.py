"""What was measured, as a picture: one panel per scenario, one bar per client.

Rules: the same figures give the same file, byte for byte (SVG: fixed ids, no date), and ours comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from kafkalab.bench.clients import OURS
from kafkalab.bench.job import Measure
from kafkalab.bench.producers import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN: Mapping[Measure, tuple[str, str]] = {
    Measure.THROUGHPUT: ("records_per_s", "records per second"),
    Measure.LATENCY: ("p99_ms", "p99 in ms (line: p50)"),
    Measure.MEMORY: ("grown_mb", "growth in MB"),
}
OUR_COLOUR, THEIR_COLOUR, MARK_COLOUR = "#0b6e4f", "#8a94a6", "#1b1b1b"
_FORMATS = {".svg", ".png", ".pdf"}


def save(results: Sequence[Result], file: Path) -> None:
    """Draw into `file`; its suffix is the format. Raises ValueError for others than .svg, .png, .pdf."""
    check(file)
    with mpl.rc_context({"svg.hashsalt": "kafkalab", "svg.fonttype": "none"}):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(file.suffix, {})
        draw(results).savefig(file, metadata=metadata)


def check(file: Path) -> None:
    """Raise ValueError when save() could not write such a file."""
    if file.suffix not in _FORMATS:
        raise ValueError(f"--plot {file}: {file.suffix!r} is no format: name a file .svg, .png or .pdf")
    if not file.absolute().parent.is_dir():
        raise ValueError(f"--plot {file}: there is no directory {file.parent}")


def draw(results: Sequence[Result]) -> Figure:
    """Return the figure; panels grow with the number of bars."""
    heights = [1 + 0.5 * len(result.figures) for result in results]
    figure = Figure(figsize=(8, max(2.0, sum(heights))), layout="constrained")
    if results:
        panels = figure.subplots(len(results), 1, height_ratios=heights, squeeze=False)
        for axes, result in zip(panels[:, 0], results, strict=True):
            _panel(axes, result)
    return figure


def _panel(axes: Axes, result: Result) -> None:
    figure, label = SHOWN[result.scenario.measure]
    told = {name: each for name, each in result.figures.items() if figure in each}
    names = list(told)
    values = [told[name][figure] for name in names]
    colours = [OUR_COLOUR if name == OURS else THEIR_COLOUR for name in names]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, [f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in values], padding=3)
    if result.scenario.measure is Measure.LATENCY:
        for row, name in enumerate(names):
            axes.vlines(told[name]["p50_ms"], row - 0.4, row + 0.4, color=MARK_COLOUR)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(result.scenario.title, loc="left", fontsize="medium")
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
