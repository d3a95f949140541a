"""The frontier: who is on it, where points are drawn, what the static form keeps, what a click measures."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kafkalab.course import frontier_view
from kafkalab.course.markup import html
from kafkalab.course.measure import Point
from kafkalab.course.views import frontier

POINTS = {
    "slow and quick to answer": Point(100, 10),
    "beaten": Point(100, 20),
    "fast": Point(10_000, 40),
    "as fast, and later": Point(10_000, 41),
    "twin": Point(10_000, 40),
}


def test_on_the_frontier_is_who_is_beaten_by_nobody() -> None:
    assert frontier.on_frontier(POINTS) == ["slow and quick to answer", "fast", "twin"]


def test_scales_have_room_for_all_and_end_at_round_numbers() -> None:
    scale = frontier.log_scale([130, 9_000], 0, 100)
    assert (scale.low, scale.high, scale.at(100), scale.at(10_000)) == (100, 10_000, 0, 100)
    assert scale.at(1000) == 50
    assert scale.ticks == [100, 200, 500, 1000, 2000, 5000, 10_000]
    with pytest.raises(ValueError, match="above 0"):
        frontier.log_scale([0, 1], 0, 100)


def test_one_point_is_drawn_too() -> None:
    assert "7 records/s" in frontier_view({"alone": Point(7, 7)}).drawing


def test_what_is_kept_has_the_names_and_no_figure() -> None:
    other = {name: Point(at.throughput * 3, at.latency_ms + 5) for name, at in POINTS.items()}
    one, two = frontier_view(POINTS, "Speed"), frontier_view(other, "Speed")
    assert html(one.static().markup) == html(two.static().markup)
    assert one.drawing != two.drawing
    assert "measured: beaten" in one.equivalent
    assert "frontier slow and quick to answer, fast, twin" in one.alt


def test_a_click_measures_what_was_chosen_and_adds_it() -> None:
    asked: list[dict[str, Any]] = []

    def measure(**settings: Any) -> Point:
        asked.append(settings)
        return Point(20_000, 5, "3 requests")

    view = frontier_view(POINTS, measure=measure)
    before = view.drawing
    view.order({"batch_size": 2, "linger_ms": 0, "acks": 1}).join()
    (settings,) = asked
    assert (settings["batch_size"], settings["linger_ms"], settings["acks"]) == (65_536, 0, 1)
    assert (settings["compression_type"], settings["enable_idempotence"]) == ("none", False)
    assert view.status == "65536, 0, none, 1, 5: 20,000 records/s, 5 ms. 3 requests"
    assert view.drawing != before
    assert list(view.points)[:5] == list(POINTS)
    assert not view.busy


def test_the_sliders_start_at_the_defaults() -> None:
    asked: list[dict[str, Any]] = []
    view = frontier_view(POINTS, measure=lambda **settings: asked.append(settings) or Point(1, 1))
    view.order({}).join()
    assert asked[0] == {
        "batch_size": 16_384,
        "linger_ms": 5,
        "compression_type": "none",
        "acks": "all",
        "max_in_flight_requests_per_connection": 5,
        "enable_idempotence": True,
    }


def test_an_error_is_told_and_the_next_click_works() -> None:
    outcomes = iter([RuntimeError("no broker answers"), Point(1, 1)])

    def measure(**_: Any) -> Point:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    view = frontier_view(POINTS, measure=measure)
    view.order({}).join()
    assert (view.error, view.busy) == ("RuntimeError: no broker answers", False)
    view.order({}).join()
    assert view.error == ""
    assert view.status.startswith("16384")


def test_two_clicks_are_measured_one_after_the_other() -> None:
    running, most = threading.Semaphore(0), []

    def measure(**_: Any) -> Point:
        running.release()
        most.append(running._value)
        running.acquire()
        return Point(1, 1)

    view = frontier_view(POINTS, measure=measure)
    for thread in [view.order({}) for _ in range(3)]:
        thread.join()
    assert most == [1, 1, 1]


def test_without_measure_there_are_no_sliders_and_without_points_an_error() -> None:
    assert frontier_view(POINTS).knobs == {}
    assert set(frontier_view(POINTS, measure=lambda **_: Point(1, 1)).knobs) == set(frontier.KNOBS)
    with pytest.raises(ValueError, match="at least one point"):
        frontier_view({})
