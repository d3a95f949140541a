from __future__ import annotations

import time
from typing import Any

import pytest

from kafkalab.course import accumulator_view
from kafkalab.course.markup import html
from kafkalab.course.views import batches
from kafkalab.producer import Trace


def opened(trace: Trace, batch: int, partition: int = 0, records: int = 0, limit: int = 1000) -> None:
    trace("new_batch", topic="t", partition=partition, batch=batch, limit=limit, reserved=limit)
    for number in range(records):
        trace("appended", record=number, topic="t", partition=partition, batch=batch, size=100)


def left(trace: Trace, batch: int, why: str = "full", partition: int = 0) -> None:
    trace("drained", topic="t", partition=partition, batch=batch, why=why, records=1, size=500, attempt=1)
    trace("request", node=2, batches=[batch], acks=-1)


@pytest.fixture
def trace() -> Trace:
    trace = Trace()
    trace("memory", total=5000)
    opened(trace, 0, records=9)
    opened(trace, 1, records=2)
    opened(trace, 2, partition=10, records=1)
    opened(trace, 3, partition=9)
    return trace


def test_batches_fill_up_in_their_partitions(trace: Trace) -> None:
    assert accumulator_view(trace).equivalent.splitlines() == [
        "Buffer memory: 1,000 of 5,000 bytes left",
        "  t-0: batch 0: 9 records, 96 % full, ready; batch 1: 2 records, 26 % full, open",
        "  t-9: batch 3: 0 records, 6 % full, open",
        "  t-10: batch 2: 1 record, 16 % full, open",
    ]


def test_a_batch_says_why_it_left_and_how_it_ended(trace: Trace) -> None:
    left(trace, 0)
    trace("completed", topic="t", partition=0, batch=0, base_offset=0)
    left(trace, 1, "linger")
    trace("retried", batch=1, error="NotEnoughReplicasError", attempt=1)
    left(trace, 1, "retry")
    trace("failed", topic="t", partition=0, batch=1, error="NotEnoughReplicasError")
    left(trace, 2, "flush", partition=10)
    words = accumulator_view(trace).equivalent
    assert "batch 0: 9 records, 96 % full, sent: full, acknowledged" in words
    assert "batch 1: 2 records, 26 % full, sent: linger, retry, failed (NotEnoughReplicasError)" in words
    assert "batch 2: 1 record, 16 % full, sent: flush, in flight" in words
    assert words.startswith("Buffer memory: 3,000 of 5,000 bytes left")


def test_who_waits_for_memory_is_told_until_the_wait_ends(trace: Trace) -> None:
    trace("memory_wanted", size=1000, left=0)
    assert "send() waits for 1,000 bytes" in accumulator_view(trace).equivalent
    trace("memory_refused", size=1000)
    trace("refused", record=7, error="BufferExhaustedError")
    words = accumulator_view(trace).equivalent
    assert "waits" not in words
    assert "1 refused: BufferExhaustedError" in words


def test_without_records_in_the_trace_the_batch_tells_when_it_leaves() -> None:
    trace = Trace(records=False)
    opened(trace, 0)
    left(trace, 0)
    assert "batch 0: 1 record, 50 % full, sent: full, in flight" in accumulator_view(trace).equivalent


def test_any_step_can_be_looked_at(trace: Trace) -> None:
    left(trace, 0)
    trace("completed", topic="t", partition=0, batch=0, base_offset=0)
    events = batches.steps(trace.events)
    lefts = [batches.state_at(events[:count]).left for count in range(1, len(events) + 1)]
    assert (lefts[0], min(lefts), lefts[-1]) == (5000, 1000, 2000)
    stages = [batches.state_at(events[:count]).batches.get(0) for count in range(len(events) + 1)]
    assert list(dict.fromkeys(each.stage for each in stages if each)) == [
        "open",
        "ready",
        "in flight",
        "acknowledged",
    ]


@pytest.mark.parametrize("name", batches._SENTENCES)
def test_every_change_has_a_sentence(name: str) -> None:
    data: dict[str, Any] = dict.fromkeys(("total", "size", "left", "record", "partition", "node", "batch"), 1)
    data |= {"topic": "t", "why": "full", "error": "SomeError", "batches": [1, 2]}
    assert batches.told(name, data).endswith(".")
    assert name in batches._CHANGES
    assert len(batches._SENTENCES) == len(batches._CHANGES)


def test_a_trace_that_knows_nothing_is_an_error() -> None:
    with pytest.raises(LookupError, match="knows of no batch"):
        accumulator_view(Trace())


@pytest.mark.alone
def test_a_thousand_events_are_quick_small_and_the_same() -> None:
    trace = Trace()
    trace("memory", total=33_000_000)
    for number in range(120):
        opened(trace, number, partition=number % 12, records=6)
        if number % 3:
            left(trace, number, partition=number % 12)
    assert len(trace.events) > 900
    started = time.perf_counter()
    picture = accumulator_view(trace)
    assert time.perf_counter() - started < 1
    stored = html(picture.static().markup)
    assert len(stored) < 100_000
    assert stored == html(accumulator_view(list(trace.events)).static().markup)
    assert "4 more partitions" in picture.drawing


def test_texts_stay_inside_their_batches(trace: Trace) -> None:
    left(trace, 0, "a very long reason to leave")
    trace("retried", batch=0, error="AnErrorWithAnExtremelyLongNameError", attempt=1)
    svg = accumulator_view(trace).picture.svg
    boxes = [group for group in svg.iter("g") if len(group.findall("rect")) == 3]
    assert len(boxes) == 4
    for group in boxes:
        (box, *_) = group.findall("rect")
        right = float(str(box.get("x"))) + float(str(box.get("width")))
        for each in group.findall("text"):
            assert float(str(each.get("x"))) + 6.9 * len(each.text or "") <= right, each.text


def test_the_live_form_goes_through_the_trace(trace: Trace) -> None:
    left(trace, 0)
    view = accumulator_view(trace)
    whole, static = view.drawing, html(view.static().markup)
    assert len(view.details) == len(batches.steps(trace.events))
    assert view.details[1].startswith("Step 2 of 19: Batch 0 is opened for t-0. (")
    assert view.details[-1].startswith("Step 19 of 19: A request to broker 2 carries batch 0. (")
    view.shown = 3
    assert "1 record" in view.drawing
    assert "9 records" not in view.drawing
    view.shown = 0
    assert view.drawing == whole
    assert html(view.static().markup) == static


def test_many_batches_take_a_second_line_and_no_third() -> None:
    trace = Trace()
    trace("memory", total=50_000)
    for number in range(7):
        opened(trace, number)
    two = accumulator_view(trace)
    assert all(f">{number}</text>" in two.drawing for number in range(7))
    height = float(two.picture.svg.get("height", 0))
    for number in range(7, 40):
        opened(trace, number)
    many = accumulator_view(trace)
    assert float(many.picture.svg.get("height", 0)) == height
    assert "31 more" in many.drawing
