"""Measurements: what is counted, from when on the clock runs, what is told as the same."""

from __future__ import annotations

from typing import Any

import pytest

from kafkalab.course.measure import Load, Run, beside, measure, point, seen
from kafkalab.faults.recorder import Frame


def frame(direction: str, size: int = 100) -> Frame:
    return Frame(0.0, 1, "me", 1, direction, "Produce", 9, 1, size)  # type: ignore[arg-type]


def test_requests_and_their_bytes_are_counted_and_answers_are_not() -> None:
    frames = [frame(way) for way in ("request", "request", "response", "request", "response", "response")]
    run = seen(frames, 10.0, 0.0, [10.5, 11.0])
    assert (run.requests, run.bytes, run.out) == (3, 300, 2)
    assert (run.seconds, run.throughput, run.per_request) == (1.0, 2.0, 2 / 3)


def test_the_clock_runs_from_when_a_record_was_due() -> None:
    run = seen([frame("request")], 10.0, 0.5, [11.0, 11.0, 11.5])
    assert run.latencies == (1.0, 0.5, 0.5)


def test_percentiles_are_values_that_were_measured() -> None:
    run = Run(1, 1, 1, 1.0, tuple(n / 1000 for n in range(100, 0, -1)))
    assert [run.percentile(each) for each in (1, 50, 99, 100)] == [1, 50, 99, 100]
    with pytest.raises(ValueError, match=r"percentile\(0\): above 0 and at most 100"):
        run.percentile(0)


@pytest.mark.parametrize(
    ("value", "told"),
    [(49, "less than half"), (51, "about the same"), (199, "about the same"), (201, "more than double")],
)
def test_only_large_differences_are_told(value: float, told: str) -> None:
    assert beside(value, 100) == told


def test_a_point_is_the_rate_of_the_burst_and_the_latency_of_the_calm() -> None:
    burst, calm = Run(5, 1000, 5, 2.0, (0.1,) * 10), Run(3, 200, 1, 9.0, (0.01, 0.02, 0.9))
    at = point(burst, calm)
    assert (at.throughput, at.latency_ms) == (5.0, 20.0)
    assert at.more == "5 requests and 1000 bytes for the burst, 3 in the calm"


@pytest.mark.cluster
def test_a_line_lets_no_answer_come_sooner(cluster: Any) -> None:
    topic = f"{cluster.prefix}measured"
    cluster.recreate_topic(topic, assignment=[[1, 2, 3]])
    settings = {"batch_size": 0, "max_in_flight_requests_per_connection": 2, "linger_ms": 0}
    run = measure(cluster.bootstrap_servers, topic, Load(10), 0.05, **settings)
    assert (run.requests, run.out, len(run.latencies)) == (10, 2, 10)
    assert min(run.latencies) >= 0.05
    assert run.seconds >= 5 * 0.05


@pytest.mark.cluster
def test_a_thin_line_takes_its_time(cluster: Any) -> None:
    topic = f"{cluster.prefix}measured"
    cluster.recreate_topic(topic, assignment=[[1, 2, 3]])
    run = measure(cluster.bootstrap_servers, topic, Load(100), bytes_per_s=30_000)
    assert run.seconds >= run.bytes / 30_000 / 2
