"""Storms: the same for a seed, complete for every seed, and judged by what lies in the log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kafkalab.course.ladder import carry_over, ladder
from kafkalab.course.progress import Progress
from kafkalab.course.runs import GOAL, Run, Runs
from kafkalab.course.storm import storm
from kafkalab.course.weather import forecast
from kafkalab.faults import Audit
from kafkalab.producer import ConfigError


def test_a_seed_is_a_storm() -> None:
    assert forecast(8) == forecast(8)
    assert forecast(8) != forecast(9)
    assert [scene.name for scene in forecast(8).scenes] == [
        "calm",
        "the leader dies",
        "an answer is lost",
        "a batch is refused",
        "the leader freezes",
        "a request is lost",
        "the link is narrow",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_every_storm_has_every_scene(seed: int) -> None:
    weather = forecast(seed)
    assert {scene.name for scene in weather.scenes} == {scene.name for scene in forecast(0).scenes}
    assert weather.records == 322
    assert weather.leader in range(3)


@pytest.mark.parametrize("seed", [-1, 1.5, "8", None, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match="give a whole number from 0 up"):
        forecast(seed)


def test_a_forecast_says_what_comes() -> None:
    assert "NOT_LEADER_OR_FOLLOWER, and the next batch is on its way" in repr(forecast(8))
    assert "then silence" in repr(forecast(9))
    assert "48,000 bytes a second" in forecast(8)._repr_html_()


def run(rate: float = 400.0, slowest: float = 1.0, **hurt: int) -> Run:
    return Run("x", 8, {}, Audit("t", (), 0), {"calm": hurt}, rate, [0.1, slowest])


def test_the_goal_is_met_or_it_is_said_what_is_missed() -> None:
    assert run().missed() == []
    assert run(rate=GOAL.rate - 1).missed() == ["too slow"]
    assert run(slowest=GOAL.slowest_s + 1).missed() == ["a record waited too long"]
    assert run(lost=1, duplicated=2).missed() == ["lost", "duplicated"]
    table = repr(Runs(fine=run(), hurt=run(rate=1, lost=3)))
    assert "reached" in table
    assert "damage; too slow" in table


@pytest.mark.cluster
def test_a_setting_that_is_none_is_refused(cluster: Any) -> None:
    with pytest.raises(ConfigError, match="did you mean 'compression_type'"):
        storm(cluster, forecast(8), {"x": {"compression": "zstd"}})


@pytest.mark.cluster
def test_a_key_in_two_partitions_is_scattered(cluster: Any) -> None:
    class Anywhere:
        def partition(self, topic: str, key: bytes, value: bytes, partitions: Any) -> int:
            return int(value[:4]) % len(partitions)

    weather = replace(forecast(8), scenes=forecast(8).scenes[:1])
    runs = storm(cluster, weather, {"anywhere": {"partitioner": Anywhere()}, "defaults": {}})
    assert runs["anywhere"].damage == ["scattered"]
    assert runs["defaults"].damage == []


@pytest.mark.cluster
def test_parts_of_ones_own_bring_everything_home(cluster: Any) -> None:
    rungs = ladder(Progress(None))
    quiet = [scene for scene in forecast(4).scenes if not scene.node]
    runs = storm(cluster, replace(forecast(4), scenes=tuple(quiet)), {"own": rungs.options})
    assert runs["own"].damage == []
    assert rungs.trouble == []
    landed = carry_over(cluster, runs["own"].audit.topic, rungs.part("step"))
    assert landed
    assert (landed.taken, landed.aborted) == (sum(scene.records for scene in quiet), 2)
