"""What `kafkalab campaign` does: storm after storm, and each anomaly replayed and shrunk.

Rules
- A storm that shows an anomaly runs REPLAYS times more. When it shows again in MOST of them, its faults are
  taken away one by one, as long as the anomaly stays.
- Ctrl-C ends the storm under way, heals the cluster, and shows and writes what is known by then.
- With idempotence off, damage is what is expected: nothing is replayed, and one line per storm is enough.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kafkalab.cluster import Cluster, NoClusterError
from kafkalab.faults import clients
from kafkalab.faults.campaign import report
from kafkalab.faults.campaign.report import Tally
from kafkalab.faults.campaign.schedule import Schedule, schedule
from kafkalab.faults.campaign.storm import Outcome, Subject, storm

REPLAYS = 5
MOST = 3
TRIES = 3
"""How often a storm with a fault less may run until the anomaly must have shown."""
LOUD = ("aiokafka", "asyncio", "kafka")
"""Clients that log every error; here errors are the point."""
TELL_S = 10.0
"""How often progress is told where no bar can be shown."""


@dataclass(frozen=True)
class Plan:
    """What to run; seeds are `first_seed` and those after it."""

    client: str = "kafkalab"
    seeds: int = 20
    first_seed: int = 0
    idempotence: bool = True
    faults: tuple[int, ...] | None = None
    """Only these of each seed's faults, by number; None: all."""
    replays: int = REPLAYS
    evidence: Path | None = None
    """A directory for recordings of storms with anomalies."""

    def storms(self) -> Iterator[Schedule]:
        """Yield the schedules."""
        for seed in range(self.first_seed, self.first_seed + self.seeds):
            whole = schedule(seed)
            yield whole if self.faults is None else only(whole, self.faults)


def campaign(
    plan: Plan, json_file: Path | None = None, console: Console | None = None, cluster: Cluster | None = None
) -> Tally:
    """Run all storms of `plan` on `cluster` (default: the running one, else a new one); return the sums.

    Raises ValueError for an unknown client, OSError for a file that cannot be written, ClusterError.
    """
    console = console or Console()
    maker = clients.factory(plan.client)
    for library in LOUD:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    if json_file is not None:
        json_file.touch()
    tally = Tally(plan.client, plan.idempotence, plan.first_seed)
    with _place(cluster, console) as place:
        subject = Subject(place, maker, plan.idempotence)
        try:
            for outcome in _each(plan, subject, tally, console):
                _look_into(plan, subject, outcome, console)
        finally:
            _say(console, [str(tally)])
            if json_file is not None:
                json_file.write_text(json.dumps(tally.as_json(), indent=2) + "\n", encoding="utf-8")
            place.heal()
    return tally


@contextmanager
def _place(cluster: Cluster | None, console: Console) -> Iterator[Cluster]:
    if cluster is not None:
        yield cluster
    elif os.environ.get("KAFKALAB_BOOTSTRAP"):
        yield Cluster.connect()
    else:
        try:
            running = Cluster.attach()
        except NoClusterError:
            running = Cluster.start(console=console)
        with running:
            running.heal()
            yield running


def _each(plan: Plan, subject: Subject, tally: Tally, console: Console) -> Iterator[Outcome]:
    """Run the storms with a bar; yield those that show an anomaly."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    told = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"Storms over {plan.client}", total=plan.seeds)
        for each in plan.storms():
            progress.update(bar, description=f"{plan.client}, seed {each.seed}")
            outcome = storm(subject, each)
            tally.add(outcome)
            progress.advance(bar)
            if not console.is_terminal and time.monotonic() - told > TELL_S:
                told = time.monotonic()
                damaged = f"seeds with anomalies: {tally.damaged or 'none'}"
                _say(console, [f"{tally.seeds} of {plan.seeds} storms; {damaged}"])
            if outcome.anomalies:
                yield outcome


def _look_into(plan: Plan, subject: Subject, outcome: Outcome, console: Console) -> None:
    whole = outcome.schedule
    _say(console, report.anomaly_lines(outcome, report.LINES if plan.idempotence else report.FEW))
    if not plan.idempotence:
        return
    _say(console, report.describe(whole, idempotence=plan.idempotence))
    _say(console, [report.fate(whole.faults, outcome.fired)])
    _keep(plan, outcome, "first")
    again = 0
    for number in range(plan.replays):
        replay = storm(subject, whole)
        again += bool(replay.anomalies)
        if replay.anomalies:
            _keep(plan, replay, f"replay-{number + 1}")
    command = report.replay_command(
        plan.client, idempotence=plan.idempotence, seed=whole.seed, faults=plan.faults
    )
    _say(console, [f"  {again} of {plan.replays} replays showed an anomaly again: {command}"])
    if again >= MOST and len(whole.faults) > 1 and plan.faults is None:
        _shrink(plan, subject, whole, console)


def _shrink(plan: Plan, subject: Subject, whole: Schedule, console: Console) -> None:
    kept = shrink(len(whole.faults), lambda faults: _shows(subject, only(whole, faults)))
    command = report.replay_command(
        plan.client, idempotence=plan.idempotence, seed=whole.seed, faults=tuple(kept)
    )
    _say(console, [f"  {len(kept)} of {len(whole.faults)} faults are enough: {command}"])


def shrink(faults: int, shows: Callable[[Sequence[int]], bool]) -> list[int]:
    """Return the numbers of faults that are enough: each is dropped if the anomaly shows without it."""
    kept = list(range(faults))
    for number in range(faults):
        fewer = [each for each in kept if each != number]
        if shows(fewer):
            kept = fewer
    return kept


def _shows(subject: Subject, smaller: Schedule) -> bool:
    return any(storm(subject, smaller).anomalies for _ in range(TRIES))


def only(whole: Schedule, faults: Sequence[int]) -> Schedule:
    """Return the schedule with the faults of these numbers only. Raises ValueError for one it has not."""
    wrong = [number for number in faults if not 0 <= number < len(whole.faults)]
    if wrong:
        raise ValueError(
            f"Seed {whole.seed} has no fault {wrong[0]}: its faults are 0 to {len(whole.faults) - 1}."
        )
    return replace(whole, faults=tuple(whole.faults[number] for number in sorted(set(faults))))


def numbers(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers of faults in "0,3", none for "none", None for None. Raises ValueError."""
    if text is None:
        return None
    wanted = [] if text == "none" else text.split(",")
    if not all(each.strip().isdecimal() for each in wanted):
        raise ValueError(f'--faults {text!r}: give numbers of faults, as in 0,3, or "none".')
    return tuple(int(each) for each in wanted)


def _keep(plan: Plan, outcome: Outcome, name: str) -> None:
    if plan.evidence is None:
        return
    plan.evidence.mkdir(parents=True, exist_ok=True)
    lines = [
        *(each.kind + " " + each.evidence for each in outcome.anomalies),
        *report.describe(outcome.schedule, idempotence=plan.idempotence),
        report.fate(outcome.schedule.faults, outcome.fired),
        *outcome.errors,
        str(outcome.recorder),
    ]
    file = plan.evidence / f"{plan.client}-seed-{outcome.schedule.seed}-{name}.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _say(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
