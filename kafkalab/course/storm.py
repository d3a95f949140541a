"""A storm that can be had again: producers go through a forecast's scenes, side by side, and are judged.

    runs = storm(cluster, forecast(8), {"defaults": {}, "acks=1": {"acks": 1}})
    runs["acks=1"].damage          # ["lost", "duplicated", "reordered"]
    runs                           # a table: who was hurt, and where

Rules
- Each producer has a topic and a proxy of its own; what happens to brokers hits all of them alike. So a run
  is comparable with the others of the same storm.
- A scene begins when all that was sent before has an outcome. Who keeps a record waiting for PATIENCE_S is
  out of the race and sends nothing more: those records are *given up*, as are those with an error.
- Judged is the log, when the cluster is healed and nothing moves. *Scattered*: one key in two partitions.
- `rate` is that of the scene with the narrow link: there it depends on the producer, not on the outage.

Leaves out: transactions (ladder.py); clusters over whose brokers we have no power.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from kafkalab.cluster.polling import wait_until
from kafkalab.course.cards import Shown
from kafkalab.course.markup import html
from kafkalab.course.weather import KEYS, Forecast, Scene, table
from kafkalab.faults import Audit, FaultProxy, SentLog
from kafkalab.faults.auditing import judge
from kafkalab.faults.campaign.injection import Injection
from kafkalab.producer import Producer

PARTITIONS = 4
PATIENCE_S = 15.0
FROZEN_S = 1.0
FETCH_WAIT_S = 0.7
"""Longer than replica.fetch.wait.max.ms: until then a frozen follower's last fetch is open at the leader."""
DAMAGE = ("lost", "duplicated", "reordered", "scattered", "given up")


class Goal(NamedTuple):
    """What a run has to achieve, besides delivering everything once and in order."""

    rate: float = 150.0
    """Records a second through the narrow link."""
    slowest_s: float = 10.0
    """From send() to the acknowledgement, for every single record."""


GOAL = Goal()


# --- what came of it ------------------------------------------------------------------------------


@dataclass
class Run:
    """What came of one producer in one storm."""

    name: str
    seed: int
    settings: dict[str, str]
    audit: Audit
    hurt: dict[str, dict[str, int]]
    """Scene -> kind of damage -> how many of its records."""
    rate: float
    waits: list[float]
    """Seconds from send() to the outcome, in ascending order."""

    def count(self, kind: str) -> int:
        """Return how many records had this damage."""
        return sum(each.get(kind, 0) for each in self.hurt.values())

    @property
    def damage(self) -> list[str]:
        """Every kind of damage, once."""
        return [kind for kind in DAMAGE if self.count(kind)]

    @property
    def slowest_s(self) -> float:
        """How long the slowest record waited."""
        return self.waits[-1] if self.waits else 0.0

    @property
    def p99_s(self) -> float:
        """99 of 100 records waited no longer."""
        return self.waits[len(self.waits) * 99 // 100] if self.waits else 0.0

    def missed(self, goal: Goal = GOAL) -> list[str]:
        """Return what of the goal was not reached; nothing when all was."""
        late = ["a record waited too long"] if self.slowest_s > goal.slowest_s else []
        return self.damage + late + (["too slow"] if self.rate < goal.rate else [])


class Runs(dict[str, Run]):
    """The runs of one storm by name; shown as a table of who was hurt where."""

    def __repr__(self) -> str:
        return self._table().text

    def _repr_html_(self) -> str:
        return html(self._table().markup)

    def _table(self) -> Shown:
        runs = list(self.values())
        scenes = list(runs[0].hurt) if runs else []
        rows = [(scene, *(_cell(run.hurt[scene]) for run in runs)) for scene in scenes]
        verdict = ("goal", *("; ".join(set_apart(run)) for run in runs))
        return table("What happened to the records", ("Scene", *self), [*rows, verdict])


def _cell(hurt: Mapping[str, int]) -> str:
    return ", ".join(kind for kind in DAMAGE if hurt.get(kind)) or "-"


def set_apart(run: Run) -> list[str]:
    """Return the verdict on a run: what it missed, damage in one word."""
    missed = [each for each in run.missed() if each not in DAMAGE]
    return (["damage"] if run.damage else []) + missed or ["reached"]


# --- one producer's way ---------------------------------------------------------------------------


class Voyage:
    """One producer on its way through the scenes."""

    def __init__(self, name: str, options: Mapping[str, Any], cluster: Any, topic: str) -> None:
        self.name, self.options, self.cluster, self.topic = name, options, cluster, topic
        self.book = SentLog(name)
        self.homes: dict[bytes, str] = {}
        self._next: list[tuple[bytes, bytes]] = []
        self.waits: list[float] = []
        self.rate = 0.0
        self.out = False
        self.proxy = FaultProxy(cluster.bootstrap_servers, cluster.security)
        try:
            self.producer = self._producer()
        except BaseException:
            self.proxy.close()
            raise

    def _producer(self) -> Producer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # idempotence that is off because of acks or retries
            return Producer(**{**self.options, "bootstrap_servers": self.proxy.bootstrap_servers})

    def sail(self, scene: Scene) -> None:
        """Go through a scene whose faults are of the network."""
        with Injection(self.cluster, self.proxy, [self.topic], scene.faults):
            if scene.bytes_per_s is not None:
                self.proxy.throttle(scene.bytes_per_s)
            began = time.monotonic()
            self.send(scene)
            if self.settle() and scene.bytes_per_s is not None:
                self.rate = scene.records / (time.monotonic() - began)

    def expect(self, scene: Scene) -> None:
        """Take the scene's records on board."""
        first = len(self.homes)
        self._next = [
            (key, _value(first + number, key, scene.size))
            for number, key in zip(range(scene.records), itertools.cycle(KEYS[: scene.keys]))
        ]
        self.homes |= {value: scene.name for _, value in self._next}

    def send(self, scene: Scene) -> None:
        """Send the scene's records, as fast as the producer takes them."""
        for key, value in self._next:
            began = time.monotonic()
            future = self.producer.send(self.topic, value, key=key)
            future.add_done_callback(lambda _, began=began: self.waits.append(time.monotonic() - began))
            self.book.watch(value, future)
            if scene.one_by_one and not self.settle():
                break

    def settle(self) -> bool:
        """Wait until all that was sent has an outcome; who needs too long is out."""
        self.out = self.out or not self.told(PATIENCE_S)
        return not self.out

    def told(self, timeout: float) -> bool:
        """Tell whether all that was sent has an outcome, within `timeout` seconds."""
        end = time.monotonic() + timeout
        try:
            for ticket in self.book.tickets:
                ticket.wait(max(0.0, end - time.monotonic()))
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End producer and proxy."""
        self.producer.close(timeout=1)
        self.proxy.close()

    def result(self, weather: Forecast) -> Run:
        """Judge what lies in the log; the producer is closed, the cluster healed."""
        records = self.cluster.read(self.topic, isolation="read_committed")
        audit = judge(self.topic, self.book.sent, records)
        hurt: dict[str, dict[str, int]] = {scene.name: defaultdict(int) for scene in weather.scenes}
        for kind in DAMAGE[:3]:
            for finding in getattr(audit, kind):
                hurt[self.homes[bytes(finding.sent.id)]][kind] += 1
        for value in _scattered(records):
            hurt[self.homes[value]]["scattered"] += 1
        acked = {each.id for each in audit.sent if each.outcome == "acked"}
        for value in self.homes.keys() - acked:
            hurt[self.homes[value]]["given up"] += 1
        settings = {name: _named(value) for name, value in self.options.items()}
        return Run(self.name, weather.seed, settings, audit, hurt, self.rate, sorted(self.waits))


def _value(number: int, key: bytes, size: int) -> bytes:
    """Return a record as applications write them: the same names each time, other figures."""
    dice = Random(number)  # noqa: S311 - the same in every run
    text = b"%04d %s" % (number, key)
    while len(text) < size:
        text += b' {"ship": "%s", "wind": %d, "wave": %d}' % (key, dice.randrange(10**6), dice.randrange(10**6))
    return text[:size]


def _named(value: object) -> str:
    plain = value is None or isinstance(value, str | int | float)
    return repr(value) if plain else getattr(value, "__name__", type(value).__name__)


def _scattered(records: list[Any]) -> Iterator[bytes]:
    """Yield the records that lie in another partition than their key's first one."""
    homes: dict[bytes, int] = {}
    for record in sorted(records, key=lambda each: each.value):
        if homes.setdefault(record.key, record.partition) != record.partition:
            yield record.value


# --- all together ---------------------------------------------------------------------------------


def storm(cluster: Any, weather: Forecast, entries: Mapping[str, Mapping[str, Any]]) -> Runs:
    """Send producers with these options through the storm, side by side; heal the cluster, judge each.

    Raises ConfigError for settings that are none, NotPossibleError on a cluster of somebody else, and what
    a producer's own parts raise.
    """
    with _at_sea(cluster, weather, entries) as voyages:
        try:
            for scene in weather.scenes:
                afloat = [each for each in voyages if not each.out]
                for each in voyages:
                    each.expect(scene)
                if afloat:
                    SCENES[scene.node](cluster, weather, scene, afloat)
        finally:
            cluster.heal()
    for voyage in voyages:
        _await_all_visible(cluster, voyage.topic)
    return Runs({each.name: each.result(weather) for each in voyages})


@contextmanager
def _at_sea(
    cluster: Any, weather: Forecast, entries: Mapping[str, Mapping[str, Any]]
) -> Iterator[list[Voyage]]:
    leader = cluster.broker_ids[weather.leader]
    order = [leader, *(each for each in cluster.broker_ids if each != leader)]
    voyages: list[Voyage] = []
    try:
        for number, (name, options) in enumerate(entries.items()):
            topic = f"{cluster.prefix}storm-{weather.seed}-{number}"
            config = {"min.insync.replicas": "2"}
            cluster.recreate_topic(topic, assignment=[order] * PARTITIONS, config=config)
            voyages.append(Voyage(name, options, cluster, topic))
        yield voyages
    finally:
        _together(voyages, Voyage.close)


def _together(voyages: list[Voyage], verb: Callable[[Voyage], object]) -> list[Any]:
    with ThreadPoolExecutor(max(1, len(voyages))) as pool:
        return list(pool.map(verb, voyages))


def _network(cluster: Any, weather: Forecast, scene: Scene, voyages: list[Voyage]) -> None:
    _together(voyages, lambda each: each.sail(scene))


def _freeze(cluster: Any, weather: Forecast, scene: Scene, voyages: list[Voyage]) -> None:
    """Let the leader stand still for a moment, too short for the controller to notice."""
    leader = cluster.broker_ids[weather.leader]
    cluster.pause(leader)
    try:
        _together(voyages, lambda each: each.send(scene))
        _together(voyages, lambda each: each.told(FROZEN_S))
    finally:
        cluster.resume(leader)
    _together(voyages, Voyage.settle)


def _kill(cluster: Any, weather: Forecast, scene: Scene, voyages: list[Voyage]) -> None:
    """Kill the leader while it alone has the last records; a clean election follows."""
    leader = cluster.broker_ids[weather.leader]
    followers = [each for each in cluster.broker_ids if each != leader]
    for each in followers:
        cluster.pause(each)
    time.sleep(FETCH_WAIT_S)
    _together(voyages, lambda each: each.send(scene))
    _together(voyages, lambda each: each.told(FROZEN_S))
    cluster.kill(leader)
    for each in followers:
        cluster.resume(each)
    cluster.wait_leader(voyages[0].topic, 0, other_than=leader)
    _together(voyages, Voyage.settle)
    cluster.heal()


SCENES = {"": _network, "freeze": _freeze, "kill": _kill}


def _await_all_visible(cluster: Any, topic: str) -> None:
    for partition in range(PARTITIONS):
        wait_until(
            f"everything in {topic}-{partition} is visible",
            lambda number=partition: cluster.offsets(topic, number),  # type: ignore[misc]
            lambda told: told.last_stable == told.high_watermark == told.log_end,
        )
