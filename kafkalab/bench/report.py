"""What was measured, as tables for the terminal and as JSON.

Rules: every figure stands beside ours as a ratio that is the better the greater it is: speeds as "kafkalab is
so many times as fast", latencies and memory as "takes so many times as much as kafkalab".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.table import Table

from kafkalab.bench.clients import OURS
from kafkalab.bench.job import Measure
from kafkalab.bench.producers import Result
from kafkalab.bench.scenarios import ALLOWED_GROWTH

TITLES = {
    Measure.THROUGHPUT: "Records per second (in brackets: kafkalab is so many times as fast)",
    Measure.LATENCY: "Latency, p50 / p99 in ms (in brackets: so many times kafkalab's)",
    Measure.MEMORY: "Growth of the process in MB, and records accepted",
}
CPU_TITLE = "CPU time of the client's process per record, in µs: steadier on a machine that others use"
COLD, CPU = "cold_records_per_s", "cpu_us"


def tables(results: Sequence[Result]) -> list[Table]:
    """Return one table per run of scenarios that measure the same of the same clients, and one of CPU."""
    shown = [
        _compared(measure, list(names), list(group)) for (measure, names), group in groupby(results, _alike)
    ]
    worked = [each for each in results if any(CPU in told for told in each.figures.values())]
    return [*shown, _cpu(worked)] if worked else shown


def _alike(result: Result) -> tuple[Measure, tuple[str, ...]]:
    return result.scenario.measure, tuple(result.figures)


def _compared(measure: Measure, names: Sequence[str], results: Sequence[Result]) -> Table:
    """Return a row per client and a column per scenario: that fits a terminal of 80 columns."""
    runs = results[0].runs
    shown = Table(title=TITLES[measure], caption=f"medians of {runs} alternating runs" if runs > 1 else None)
    shown.add_column("Client", no_wrap=True)
    for result in results:
        mark = "" if result.scenario.scored else " (unscored)"
        shown.add_column(f"{result.scenario.name}{mark}", justify="right")
    for name in names:
        cells = [_cell(measure, each.figures[name], each.figures.get(OURS), name) for each in results]
        shown.add_row(name, *cells)
    return shown


def _cpu(results: Sequence[Result]) -> Table:
    names = list(
        dict.fromkeys(name for each in results for name, told in each.figures.items() if CPU in told)
    )
    shown = Table(title=CPU_TITLE)
    shown.add_column("Scenario", no_wrap=True)
    for name in names:
        shown.add_column(name, justify="right")
    for result in results:
        told = [result.figures.get(name, {}).get(CPU) for name in names]
        shown.add_row(result.scenario.name, *["-" if each is None else f"{each:.2f}" for each in told])
    return shown


def _cell(measure: Measure, told: Mapping[str, float], ours: Mapping[str, float] | None, name: str) -> str:
    if not told:
        return "-"
    if measure is Measure.MEMORY:
        return f"{told['grown_mb']:.0f} ({told['accepted']:,.0f})"
    beside = ours if ours and name != OURS else None
    if measure is Measure.LATENCY:
        return _latency(told, beside)
    cold = f"; cold {told[COLD]:,.0f}" if COLD in told else ""
    ratio = f" ({beside['records_per_s'] / told['records_per_s']:.2f}x)" if beside else ""
    return f"{told['records_per_s']:,.0f}{ratio}{cold}"


def _latency(told: Mapping[str, float], ours: Mapping[str, float] | None) -> str:
    figures = f"{told['p50_ms']:.2f} / {told['p99_ms']:.2f}"
    if ours is None:
        return figures
    ratios = [f"{told[name] / ours[name]:.2f}x" for name in ("p50_ms", "p99_ms")]
    return f"{figures} ({' / '.join(ratios)})"


def notes(results: Sequence[Result]) -> list[str]:
    """Return what must be known to read the tables."""
    lines = [f"{each.scenario.name}: {each.scenario.title}" for each in results]
    if any(COLD in told for each in results for told in each.figures.values()):
        lines.append("Java is ProducerPerformance: its second run in one JVM (warm), and its first (cold)")
    if any(each.scenario.measure is Measure.MEMORY for each in results):
        lines.append(f"memory is bounded when it grows by at most 34 + {ALLOWED_GROWTH / 1e6:.0f} MB")
    return lines


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return what `--json` writes."""
    return {
        "scenarios": [
            {
                "name": result.scenario.name,
                "title": result.scenario.title,
                "runs": result.runs,
                "clients": {
                    name: {figure: _rounded(value) for figure, value in told.items()}
                    for name, told in result.figures.items()
                },
            }
            for result in results
        ]
    }


def _rounded(value: float) -> float:
    return round(value) if value >= 1000 else round(value, 3)
