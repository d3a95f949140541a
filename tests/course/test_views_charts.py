from __future__ import annotations

import time
from xml.etree import ElementTree as ET

import pytest

from kafkalab.course import bar_chart, line_chart
from kafkalab.course.markup import html
from kafkalab.course.views import bars, lines, scales
from kafkalab.course.views.style import WIDTH

SIZES = {"none": 1080, "gzip": 136.0, "zstd": (140, 149, 151)}


def rects(svg: ET.Element, style: str) -> list[ET.Element]:
    return [node for node in svg.iter("rect") if style in str(node.get("class"))]


@pytest.mark.parametrize(("value", "written"), [(0, "0"), (12, "12"), (0.1234, "0.123"), (41234.5, "41,234")])
def test_numbers_are_written_for_a_reader(value: float, written: str) -> None:
    assert scales.number(value) == written


@pytest.mark.parametrize("highest", [0, 0.003, 0.7, 1, 9.99, 10, 99_999, 2_500_000])
def test_a_scale_ends_at_a_round_number_not_below_the_highest_value(highest: float) -> None:
    scale = scales.scale_to(highest, 0, 100)
    assert scale.top >= highest
    assert scale.ticks[0] == 0
    assert scale.at(scale.ticks[-1]) == 100
    assert 2 <= len(scale.ticks) <= 7


def test_bars_are_to_scale_and_say_their_values() -> None:
    picture = bar_chart("Bytes on disk", SIZES, "bytes")
    assert picture.equivalent.splitlines() == [
        "Bytes on disk (bytes)",
        "  none: 1,080 bytes",
        "  gzip: 136 bytes",
        "  zstd: 149 bytes (from 140 to 151)",
    ]
    widths = [float(str(rect.get("width"))) for rect in rects(picture.picture.svg, "record-box")]
    assert widths[1] / widths[0] == pytest.approx(136 / 1080, rel=0.01)


def test_only_a_spread_gets_a_whisker() -> None:
    picture = bar_chart("Bytes", SIZES)
    assert sum("broker-line" in str(node.get("class")) for node in picture.picture.svg.iter("path")) == 1


def test_an_order_says_nothing_of_how_much() -> None:
    picture = bar_chart("Bytes on disk", SIZES, "bytes", order_only=True)
    other = bar_chart("Bytes on disk", {"gzip": 1, "none": 3000, "zstd": 2.5}, "bytes", order_only=True)
    assert html(picture.picture.markup) == html(other.picture.markup)
    assert picture.equivalent == other.equivalent
    assert picture.equivalent.splitlines()[1:] == ["  1. none", "  2. zstd", "  3. gzip"]
    assert bar_chart("Bytes", SIZES | {"none": 1}, order_only=True).equivalent != picture.equivalent


@pytest.mark.parametrize("value", [-1, (3, 2, 1), (1, 2, 1.5), float("nan")])
def test_a_value_out_of_order_is_refused(value: bars.Value) -> None:
    with pytest.raises(ValueError, match="low <= median <= high"):
        bar_chart("Bytes", {"bad": value})


def test_lines_say_what_they_show() -> None:
    picture = line_chart("Speed", [1, 2], {"a": [10, 20], "b": [(1, 2, 3), 0.5]}, "threads", "MB/s")
    assert picture.equivalent.splitlines() == [
        "Speed (MB/s)",
        "  a: 1: 10, 2: 20",
        "  b: 1: 2 (1 to 3), 2: 0.5",
    ]


def test_a_sketch_says_only_what_rises_and_what_ends_highest() -> None:
    x = [0, 5, 50]
    one = line_chart("Speed", x, {"a": [1, 5, 2], "b": [9, 3, 4.0]}, "linger (ms)", measured=True)
    two = line_chart("Speed", x, {"a": [7, 5, 18], "b": [90, 3, 40]}, "linger (ms)", measured=True)
    assert html(one.picture.markup) == html(two.picture.markup)
    assert one.equivalent.splitlines() == [
        "Speed; linger (ms) from 0 to 50",
        "  a rises",
        "  b falls",
        "  At the end, the highest first: b, a",
    ]
    turned = line_chart("Speed", x, {"a": [1, 5, 9], "b": [9, 3, 4.0]}, "linger (ms)", measured=True)
    assert turned.equivalent != one.equivalent


@pytest.mark.parametrize(
    ("x", "steps"), [([0, 5, 50], False), ([1, 1000], True), (["gzip", "zstd"], True), ([3, 2, 1], True)]
)
def test_x_is_to_scale_where_that_can_be_read(x: list[lines.X], steps: bool) -> None:
    assert lines.in_steps(x) is steps


def test_series_fit_x() -> None:
    with pytest.raises(ValueError, match="'a' has 1 values for 2 x"):
        line_chart("Speed", [1, 2], {"a": [1]})
    with pytest.raises(ValueError, match="1 to 5 series"):
        line_chart("Speed", [1, 2], {})


def test_labels_keep_apart_and_inside() -> None:
    placed = lines.apart([100, 101, 99, 400], 84, 330)
    assert sorted(placed) == placed[2:3] + placed[0:1] + placed[1:2] + placed[3:]
    gaps = [b - a for a, b in zip(sorted(placed), sorted(placed)[1:], strict=False)]
    assert min(gaps) >= 19
    assert max(placed) <= 330


def test_series_differ_without_colour() -> None:
    signs = [lines.mark(n, 0, 0) for n in range(5)]
    shapes = {(sign.tag, sign.get("points")) for sign in signs}
    assert len(shapes) == 5


@pytest.mark.alone
def test_a_thousand_points_are_quick_small_and_the_same() -> None:
    x = list(range(1000))
    series: dict[str, list[bars.Value]] = {"saw": [n % 100 / 3 for n in x], "line": list(x)}
    started = time.perf_counter()
    stored = html(line_chart("Speed", x, series).static().markup)
    assert time.perf_counter() - started < 1
    assert len(stored) < 100_000
    assert stored == html(line_chart("Speed", x, series).static().markup)


def test_long_names_stay_inside() -> None:
    name = "a very long name of a series that nobody wants to read " * 2
    for picture in (line_chart(name, [1, 2], {name: [1, 2]}), bar_chart(name, {name: 1})):
        for node in picture.picture.svg.iter("text"):
            if node.get("class") != "small muted middle":
                assert float(str(node.get("x"))) + 7 * len(node.text or "") < WIDTH


def test_the_live_form_has_the_numbers_that_the_static_form_leaves_out() -> None:
    view = bar_chart("Bytes on disk", SIZES, "bytes", order_only=True)
    assert view.details[2] == "zstd: 149 bytes (from 140 to 151)"
    assert "1,080" in view.drawing
    assert "1,080" not in repr(view) + html(view.static().markup)
    lines_view = line_chart("Speed", ["a", "b"], {"one": [10, (1, 2, 3)]}, measured=True)
    assert lines_view.details == ["one, a: 10", "one, b: 2 (1 to 3)"]
