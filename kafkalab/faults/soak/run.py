"""One soak, from the first record to the verdict.

load starts → faults, one after the other, until the time is over → load stops → heal → flush →
close → what is left? → audit of every topic
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kafkalab.cluster import Cluster
from kafkalab.faults.soak.footprint import MB, Footprint, Holdings, Sample
from kafkalab.faults.soak.havoc import Havoc
from kafkalab.faults.soak.load import KINDS, Kind, Load
from kafkalab.faults.soak.verdict import Account, Result, account

PARTITIONS = 6
LINE_S = 10.0
"""How often a line is printed that stays."""


def run(
    cluster: Cluster,
    minutes: float = 10.0,
    seed: int = 1,
    *,
    kinds: tuple[Kind, ...] = KINDS,
    settings: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> Result:
    """Soak a cluster of ours (three brokers or more), and judge.

    `settings` override those of all producers without transactions; progress goes to `console` (stderr).
    Raises ClusterError when the cluster itself cannot be healed.
    """
    console = console or Console(stderr=True)
    for kind in kinds:
        cluster.recreate_topic(kind.topic, PARTITIONS, 3, config={"min.insync.replicas": "2"})
    cluster.heal()
    before = Holdings.now()
    with Load(cluster.bootstrap_servers, seed, kinds, settings) as load:
        havoc = Havoc(cluster, seed)
        with _Display(console, minutes * 60, load, havoc) as display:
            with Footprint(lambda: load.book_bytes, display.sampled) as footprint:
                load.start()
                _break_things(havoc, minutes * 60, display)
            display.now("all nodes are up; waiting for every outcome")
            load.stop()
            load.close()
    gc.collect()  # what a cycle of garbage holds is no leak
    left = Holdings.now().more_than(before)
    with console.status("auditing"):
        accounts = [_account(cluster, kind, load) for kind in kinds]
    trouble = [text for program in load.programs for text in program.trouble]
    return Result(tuple(accounts), tuple(havoc.done), tuple(footprint.samples), tuple(left), tuple(trouble))


def _break_things(havoc: Havoc, seconds: float, display: _Display) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fault = havoc.draw()
        display.now(str(fault))
        havoc.inflict(fault)


def _account(cluster: Cluster, kind: Kind, load: Load) -> Account:
    books = [program.book for program in load.programs if program.kind is kind]
    return account(kind, books, cluster.read(kind.topic, isolation="read_committed"))


class _Display:
    """A bar while it runs, and a line every ten seconds."""

    def __init__(self, console: Console, seconds: float, load: Load, havoc: Havoc) -> None:
        columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=seconds)
        self._load, self._havoc = load, havoc
        self._next_line = 0.0

    def now(self, what: str) -> None:
        """Say what is going on."""
        self._progress.update(self._task, description=what)

    def sampled(self, sample: Sample) -> None:
        """Move the bar; print a line if it is time."""
        self._progress.update(self._task, completed=sample.seconds)
        if sample.seconds < self._next_line:
            return
        self._next_line += LINE_S
        counts = {name: self._load.count(name) for name in ("acked", "failed", "aborted")}
        told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        faults = f"{len(self._havoc.done)} faults{''.join(f'; {last}' for last in self._havoc.done[-1:])}"
        self._progress.console.print(
            f"{sample.seconds:5.0f} s  {sample.rss / MB:.0f} MB  {told}  {faults}", highlight=False
        )

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
