"""How long a warm start of the embedded cluster takes, with and without the JDK AOT cache.

Rules: both kinds of start alternate, so that a machine that others use meets both alike; each is a whole
one, from the call until every broker lists all brokers. The medians are compared. CPU seconds of the nodes
stand beside the wall clock, because they hardly change with what else the machine does.
"""

import statistics
import time
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from kafkalab.cluster import embedded, starting
from kafkalab.cluster.keeping import Keeping

BROKERS = 3


class Start(NamedTuple):
    """One start; medians are of the same kind."""

    seconds: float
    """From the call until ready."""
    cpu_seconds: float
    """All nodes together, until ready."""
    rss_bytes: int
    """All nodes together, when ready. Pages that nodes share count once for each."""


class StartBench(NamedTuple):
    """Medians of both kinds and how many times quicker the AOT cache makes a start."""

    with_aot: Start
    without_aot: Start
    ratio: float
    cpu_ratio: float


def start_bench(repeats: int = 3, console: Console | None = None) -> StartBench:
    """Measure `repeats` starts of each kind, print a table to `console` (default: stdout).

    Raises ClusterError when the cluster cannot be started.
    """
    console = console or Console()
    embedded.prepare(console, "lab")
    starts: dict[bool, list[Start]] = {True: [], False: []}
    for turn in track(range(2 * repeats), "Starting clusters", console=console, transient=True):
        aot = turn % 2 == 0
        starts[aot].append(start_once(aot=aot))
    result = compare(median(starts[True]), median(starts[False]))
    console.print(table(result, repeats))
    return result


def start_once(*, aot: bool) -> Start:
    """Start one cluster, measure, stop it."""
    settings = () if aot else ((embedded.NO_AOT, "1"),)
    began = time.perf_counter()
    plan = starting.Plan("embedded", BROKERS, "lab", settings=settings)
    keeping = starting.start(plan, Console(quiet=True))
    seconds = time.perf_counter() - began
    try:
        return Start(seconds, _cpu_seconds(keeping), sum(keeping.rss().values()))
    finally:
        keeping.stop()


def median(starts: list[Start]) -> Start:
    """Return the median of each figure by itself."""
    return Start(
        statistics.median(s.seconds for s in starts),
        statistics.median(s.cpu_seconds for s in starts),
        int(statistics.median(s.rss_bytes for s in starts)),
    )


def compare(with_aot: Start, without_aot: Start) -> StartBench:
    """Put both beside each other."""
    return StartBench(
        with_aot,
        without_aot,
        without_aot.seconds / with_aot.seconds,
        without_aot.cpu_seconds / with_aot.cpu_seconds,
    )


def table(result: StartBench, repeats: int) -> Table:
    """Render for the terminal."""
    shown = Table(title=f"Warm start: 1 controller, {BROKERS} brokers (median of {repeats})")
    for heading in ("", "ready after", "CPU of the nodes", "RSS of the nodes"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for name, start in (("with AOT cache", result.with_aot), ("without", result.without_aot)):
        memory = f"{start.rss_bytes / 1e6:.0f} MB"
        shown.add_row(name, f"{start.seconds:.1f} s", f"{start.cpu_seconds:.1f} s", memory)
    shown.add_section()
    shown.add_row("quicker by", f"{result.ratio:.1f}x", f"{result.cpu_ratio:.1f}x", "")
    return shown


def _cpu_seconds(keeping: Keeping) -> float:
    used = [psutil.Process(process.pid).cpu_times() for process in keeping.state.node_processes]
    return sum(times.user + times.system for times in used)
