"""What `kafkalab bench` does: measure, print, write.

Rules: files that cannot be written are refused before anything is measured; what was measured before an
interruption is shown and written all the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from kafkalab.bench.producers import Plan, Result, measure
from kafkalab.bench.report import as_json, notes, tables
from kafkalab.bench.scenarios import Place, Scenario, chosen
from kafkalab.cluster import Cluster


def producer_bench(
    names: Sequence[str] = (),
    plan: Plan | None = None,
    json_file: Path | None = None,
    plot_file: Path | None = None,
    *,
    attach: bool = False,
    console: Console | None = None,
) -> list[Result]:
    """Measure the scenarios called `names` (all, if none), print tables, write the files asked for.

    Runs a cluster of its own with Kafka's JVM flags and timeouts; `attach` joins the running one, whatever
    its flags. `console` is stdout by default. Raises LookupError for an unknown scenario, ValueError or
    OSError for a file that cannot be written, BenchError, ClusterError.
    """
    console = console or Console()
    scenarios = chosen(names)
    _check(json_file, plot_file)
    results: list[Result] = []
    try:
        with _cluster(scenarios, console, attach=attach) as cluster:
            for result in measure(scenarios, cluster, plan or Plan(), console):
                results.append(result)  # noqa: PERF402 - what is known by then is shown, whatever happens
    finally:
        show(results, console)
        write(results, json_file, plot_file)
    return results


def show(results: Sequence[Result], console: Console) -> None:
    """Print tables and what must be known to read them."""
    for table in tables(results):
        console.print(table)
    for line in notes(results):
        console.print(f"  {line}", highlight=False)


def write(results: Sequence[Result], json_file: Path | None, plot_file: Path | None) -> None:
    """Write the files asked for."""
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(results), indent=2) + "\n", encoding="utf-8")
    if plot_file is not None:
        from kafkalab.bench import plot  # noqa: PLC0415 - matplotlib takes a while, and only this needs it

        plot.save(results, plot_file)


def _check(json_file: Path | None, plot_file: Path | None) -> None:
    if plot_file is not None:
        from kafkalab.bench import plot  # noqa: PLC0415

        plot.check(plot_file)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise FileNotFoundError(f"--json {json_file}: there is no directory {json_file.parent}")


@contextlib.contextmanager
def _cluster(scenarios: Sequence[Scenario], console: Console, *, attach: bool) -> Iterator[Cluster | None]:
    if all(each.place is not Place.CLUSTER for each in scenarios):
        yield None
    elif attach:
        yield Cluster.attach()
    else:
        with Cluster.start(brokers=3, profile="kafka", console=console) as cluster:
            yield cluster
