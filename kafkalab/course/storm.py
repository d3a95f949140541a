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

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from kafkalab.cluster.polling import wait_until
from kafkalab.course.runs import Runs
from kafkalab.course.voyage import Voyage
from kafkalab.course.weather import Forecast, Scene

PARTITIONS = 4
FROZEN_S = 1.0
FETCH_WAIT_S = 0.7
"""Longer than replica.fetch.wait.max.ms: until then a frozen follower's last fetch is open at the leader."""


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
                    _play(cluster, cluster.broker_ids[weather.leader], scene, afloat)
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


def _play(cluster: Any, leader: int, scene: Scene, voyages: list[Voyage]) -> None:
    if scene.node == "freeze":
        _freeze(cluster, leader, scene, voyages)
    elif scene.node == "kill":
        _kill(cluster, leader, scene, voyages)
    else:
        _together(voyages, lambda each: each.sail(scene))


def _freeze(cluster: Any, leader: int, scene: Scene, voyages: list[Voyage]) -> None:
    """Let the leader stand still for a moment, too short for the controller to notice."""
    cluster.pause(leader)
    try:
        _together(voyages, lambda each: each.send(scene))
        _together(voyages, lambda each: each.told(FROZEN_S))
    finally:
        cluster.resume(leader)
    _together(voyages, Voyage.settle)


def _kill(cluster: Any, leader: int, scene: Scene, voyages: list[Voyage]) -> None:
    """Kill the leader while it alone has the last records; a clean election follows."""
    followers = [each for each in cluster.broker_ids if each != leader]
    for voyage in voyages:  # what came before this scene must not be lost with it
        _await_all_visible(cluster, voyage.topic)
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
    for voyage in voyages:  # a broker may be told of its office a moment after the others
        _await_all_visible(cluster, voyage.topic)
        voyage.meet(leader)


def _await_all_visible(cluster: Any, topic: str) -> None:
    for partition in range(PARTITIONS):
        wait_until(
            f"everything in {topic}-{partition} is visible",
            lambda number=partition: cluster.offsets(topic, number),  # type: ignore[misc]
            lambda told: told.last_stable == told.high_watermark == told.log_end,
        )
