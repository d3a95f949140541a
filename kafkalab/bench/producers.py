"""Our producer beside its peers: take turns, take medians.

Rules
- Clients take turns, round after round, each round beginning with another one, so that a machine that others
  use meets all alike; medians are compared. Every run is a process of its own.
- The brokers are a cluster of the bench's own with Kafka's JVM flags and timeouts, warmed up by a million
  records before anything is measured: cold brokers are three times as slow.
- All send 100-byte values without keys, idempotently, with acks=all and linger 5 ms, and learn every record's
  outcome. A run with a record that was not delivered is an error, not a figure.
- Clients that are not installed are left out, and said to be.

What it cannot tell: anything about brokers of another machine. Clients and brokers share this one, so a
figure holds for both together, and only figures of one run may be compared. A whole run takes about two
gigabytes of disk and, on two cores, some eight minutes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import operator
import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from kafka.admin import KafkaAdminClient
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kafkalab.bench import running
from kafkalab.bench.clients import MODULES, OURS
from kafkalab.bench.job import COMMON, Job, Measure, Outcome
from kafkalab.bench.scenarios import SHARE, Entrant, Place, Scenario
from kafkalab.bench.sink import Sink
from kafkalab.cluster import Cluster
from kafkalab.cluster.errors import JavaToolError
from kafkalab.cluster.polling import wait_until

BROKERS_WARM_UP = 1_000_000
QUICK_SHARE = 0.1
_WARM_UP_SHARE = 0.05
_LEAST_WARM_UP = 500
_ONE_BY_ONE = 30


class Result(NamedTuple):
    """One scenario's medians by entrant, and how many runs are behind them."""

    scenario: Scenario
    figures: Mapping[str, Mapping[str, float]]
    runs: int


class Plan(NamedTuple):
    """How much of everything."""

    repeats: int = 3
    records: int | None = None
    """Of a throughput run; None: what the scenario says."""
    quick: bool = False
    """A tenth of the records: for a look, not for a comparison."""

    def records_of(self, scenario: Scenario, client: str) -> int:
        """Return how many records one run sends."""
        if scenario.measure is Measure.MEMORY:
            return scenario.records  # an upper limit: the client's own ends it
        records = scenario.records if self.records is None else self.records
        if scenario.measure is Measure.LATENCY:
            records = min(records, scenario.records)
        return max(1, int(records * SHARE.get(client, 1.0) * (QUICK_SHARE if self.quick else 1)))


def measure(
    scenarios: Sequence[Scenario], cluster: Cluster | None, plan: Plan, console: Console
) -> Iterator[Result]:
    """Measure one scenario after the other; those on a cluster need `cluster`.

    A peer that cannot deliver is left out of the scenario, with its words on the console; that ours cannot is
    a BenchError. Raises ClusterError, too.
    """
    missing = left_out(scenarios, console)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=plan.repeats * sum(len(each.entrants) for each in scenarios))
        if cluster is not None:
            progress.update(task, description="warming the brokers up")
            warm_up(cluster, plan)
        for scenario in scenarios:
            entrants = [each for each in scenario.entrants if each.client not in missing]
            runs: dict[str, list[Outcome]] = {each.name: [] for each in entrants}
            with opened(scenario, cluster) as (servers, topic):
                for entrant in turns(entrants, plan.repeats):
                    progress.update(task, description=f"{scenario.name}: {entrant.name}", advance=1)
                    if entrant.name in runs:
                        job = job_of(scenario, entrant, servers, topic, plan)
                        _run(job, entrant.name, runs, console)
            yield Result(scenario, {name: medians(each) for name, each in runs.items()}, plan.repeats)


def _run(job: Job, name: str, runs: dict[str, list[Outcome]], console: Console) -> None:
    try:
        runs[name].append(running.run(job))
    except (running.BenchError, JavaToolError) as error:
        if job.client == OURS:
            raise
        console.print(f"{name} is left out here: {error}", highlight=False, markup=False)
        del runs[name]


def turns(entrants: Sequence[Entrant], repeats: int) -> Iterator[Entrant]:
    """Give every entrant its turn in each round; each round begins with the next one."""
    for turn in range(repeats):
        first = turn % len(entrants) if entrants else 0
        yield from (*entrants[first:], *entrants[:first])


def job_of(scenario: Scenario, entrant: Entrant, servers: str, topic: str, plan: Plan) -> Job:
    """Return what one process is to do."""
    records = plan.records_of(scenario, entrant.client)
    return Job(
        entrant.client,
        scenario.measure,
        servers,
        topic,
        records,
        warm_up=max(_LEAST_WARM_UP, int(records * _WARM_UP_SHARE)),
        value_bytes=scenario.value_bytes,
        settings=scenario.settings_of(entrant),
        trace=entrant.trace,
    )


def medians(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the median of each figure by itself."""
    names = outcomes[0].figures if outcomes else ()
    return {name: statistics.median(each.figures[name] for each in outcomes) for name in names}


def left_out(scenarios: Sequence[Scenario], console: Console) -> set[str]:
    """Return the clients that cannot be imported, and say so."""
    wanted = {each.client for scenario in scenarios for each in scenario.entrants}
    missing = {name for name in wanted & MODULES.keys() if importlib.util.find_spec(MODULES[name]) is None}
    for name in sorted(missing):
        console.print(f"{name} is left out: it is not installed (pip install {name})", highlight=False)
    return missing


@contextlib.contextmanager
def opened(scenario: Scenario, cluster: Cluster | None) -> Iterator[tuple[str, str]]:
    """Have the place that the scenario wants while the block runs: bootstrap servers and a topic."""
    if scenario.place is not Place.CLUSTER:
        with Sink.running(scenario.partitions, silent=scenario.place is Place.STALLED) as sink:
            yield sink.servers, "bench"
        return
    assert cluster is not None
    topic = f"{cluster.prefix}bench-{scenario.name}"
    make_topic(cluster, topic, scenario.partitions)
    try:
        yield cluster.bootstrap_servers, topic
    finally:
        cluster.delete_topic(topic)


def make_topic(cluster: Cluster, topic: str, partitions: int) -> None:
    """Have a fresh topic, three replicas each."""
    # create_topic() looks at each partition by itself, which takes a minute for a thousand: here all are made
    # behind its back, and the last one is looked at.
    cluster.recreate_topic(topic, partitions=min(partitions, _ONE_BY_ONE), replication_factor=3)
    if partitions > _ONE_BY_ONE:
        admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)
        admin.create_partitions({topic: partitions})
        admin.close()
        wait_until(
            f"{topic} has {partitions} partitions",
            lambda: len(cluster.partitions(topic)),
            partial(operator.eq, partitions),
        )
        cluster.offsets(topic, partitions - 1)


def warm_up(cluster: Cluster, plan: Plan) -> None:
    """Let the brokers' JVMs compile what they will be measured with."""
    records = int(BROKERS_WARM_UP * (QUICK_SHARE if plan.quick else 1))
    if plan.records is not None:
        records = min(records, 2 * plan.records)
    topic = f"{cluster.prefix}bench-warm-up"
    cluster.recreate_topic(topic, partitions=3, replication_factor=3)
    try:
        settings = {**COMMON, "batch.size": 16_384}
        servers = cluster.bootstrap_servers
        running.run(Job(OURS, Measure.THROUGHPUT, servers, topic, records, settings=settings))
    finally:
        cluster.delete_topic(topic)
