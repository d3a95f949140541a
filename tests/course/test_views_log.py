from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from kafkalab.cluster.brokers import Offsets
from kafkalab.cluster.reading import LogRecord
from kafkalab.course import log_picture, log_view
from kafkalab.course.markup import html
from kafkalab.course.views import log, log_cells, log_drawing
from kafkalab.course.views.eliding import fitting
from kafkalab.course.views.log_cells import Cell, Lane, Partition
from kafkalab.course.views.style import WIDTH

from .conftest import FakeCluster


def record(
    offset: int,
    value: bytes | None = b"v",
    *,
    key: bytes | None = None,
    producer: int = -1,
    control: str = "",
) -> LogRecord:
    sequence = offset if producer >= 0 and not control else -1
    return LogRecord(0, offset, key, value, [], 0, producer, min(producer, 0), sequence, control)


def plain(count: int) -> list[LogRecord]:
    return [record(offset, b"v%d" % offset) for offset in range(count)]


class Logged(FakeCluster):
    """A cluster with one partition that holds `records`."""

    def __init__(self, records: Sequence[LogRecord], offsets: Offsets, aborted: Sequence[int] = ()) -> None:
        super().__init__()
        self._records, self._offsets, self._aborted = records, offsets, aborted
        self.led: int | None = 1

    def partitions(self, topic: str) -> list[int]:
        return [0]

    def leader(self, topic: str, partition: int) -> int | None:
        return self.led

    def offsets(self, topic: str, partition: int) -> Offsets:
        return self._offsets

    def log(self, topic: str, partition: int) -> Sequence[LogRecord]:
        return self._records

    def read(self, topic: str, isolation: str, partition: int | None = None) -> list[LogRecord]:
        end = self._offsets.last_stable if isolation == "read_committed" else self._offsets.high_watermark
        left_out = self._aborted if isolation == "read_committed" else ()
        return [r for r in self._records if r.offset < end and not r.control and r.offset not in left_out]


@pytest.fixture
def transactions() -> Logged:
    log = [
        record(0, b"paid", producer=700),
        record(1, b"", producer=700, control="commit"),
        record(2, b"oops", producer=901),
        record(3, b"", producer=901, control="abort"),
        record(4, b"open", producer=700),
    ]
    return Logged(log, Offsets(0, 4, 5, 5), aborted=[2])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "SETTLE_S", 0.01)


def test_the_log_shows_markers_and_who_wrote_what(transactions: Logged) -> None:
    assert log_view(transactions, "t", numbers=True).equivalent.splitlines() == [
        "Log of t",
        (
            "  partition 0: 0: paid [p1 e0 s0], 1: commit [p1 e0], 2: oops [p2 e0 s2], 3: abort [p2 e0], "
            "4: open [p1 e0 s4]"
        ),
        "    last stable offset 4, high watermark = log end 5",
    ]


def test_read_committed_is_shown_below_the_log(transactions: Logged) -> None:
    lines = log_view(transactions, "t", isolation="both").equivalent.splitlines()
    assert lines[1].startswith("  partition 0, read_uncommitted: 0: paid, 1: commit, 2: oops")
    assert lines[2] == (
        "  partition 0, read_committed: 0: paid, 1: commit, 2: (aborted), 3: abort, 4: (undecided)"
    )


def test_a_copy_says_which_record_it_equals() -> None:
    log = [record(0, b"a"), record(1, b"b"), record(2, b"a"), record(3, b"a", producer=5)]
    cluster = Logged(log, Offsets(0, 4, 4, 4))
    assert "2: a [same as 0], 3: a" in log_view(cluster, "t").equivalent
    assert "same as" not in log_view(cluster, "t", marks=False).equivalent


def test_the_header_lab_id_decides_what_is_a_copy() -> None:
    def named(offset: int, name: bytes) -> LogRecord:
        return record(offset)._replace(headers=[("lab-id", name)])

    assert log_cells.copies([named(0, b"1"), named(1, b"2"), named(2, b"1")]) == {2: "same as 0"}


def test_above_the_high_watermark_nobody_reads_yet() -> None:
    words = log_view(Logged(plain(3), Offsets(0, 1, 1, 3)), "t").equivalent
    assert "0: v0, 1: v1 [above HW], 2: v2 [above HW]" in words
    assert "high watermark 1, log end 3" in words


def test_a_partition_without_a_leader_says_so() -> None:
    cluster = Logged(plain(3), Offsets(0, 3, 3, 3))
    cluster.led = None
    assert "partition 0: (no leader: nobody can read or write it)" in log_view(cluster, "t").equivalent


def test_gaps_are_positions_that_hold_nothing() -> None:
    drawn = log_cells.cells([record(4), record(5), record(9)], 4)
    assert [(cell.offset, cell.value) for cell in drawn if cell.kind == log_cells.GAP] == [
        (0, "deleted"),
        (6, "nothing to 8"),
    ]


def test_the_picture_of_a_consumer_has_no_gaps_and_no_flags() -> None:
    cluster = Logged([record(0, b"a", key=b"ann"), record(2, b"\xff")], Offsets(0, 3, 3, 3))
    cluster.prefix = "ann-"
    assert log_picture(cluster, "ann-orders").equivalent.splitlines() == [
        "Log of orders",
        "  partition 0: 0: ann=a, 2: 0xff",
    ]


def test_an_unknown_isolation_is_refused() -> None:
    with pytest.raises(ValueError, match="'serializable': allowed are None, 'read_uncommitted'"):
        log_view(Logged([], Offsets(0, 0, 0, 0)), "t", isolation="serializable")


def test_a_long_row_shows_its_ends_and_what_is_noteworthy() -> None:
    row = [Cell("record", n, note="same as 1" if n == 50 else "") for n in range(100)]
    drawn = fitting(100, 9, log_cells.worth(row))
    assert len(drawn) <= 9
    assert {0, 50, 99} <= set(drawn)
    left_out = sum(int(each.split()[0]) for each in drawn if isinstance(each, str))
    assert left_out + sum(isinstance(each, int) for each in drawn) == 100


def test_what_stands_at_a_flag_is_drawn() -> None:
    assert {39, 40} <= set(fitting(100, 8, [39, 40]))


@pytest.mark.parametrize(
    ("offsets", "labels"),
    [
        (Offsets(0, 3, 3, 3), ["HW = end 3"]),
        (Offsets(0, 1, 1, 3), ["HW 1", "end 3"]),
        (Offsets(0, 1, 2, 3), ["LSO 1", "HW 2", "end 3"]),
        (Offsets(0, 1, 3, 3), ["LSO 1", "HW = end 3"]),
    ],
)
def test_flags_stand_where_reading_ends(offsets: Offsets, labels: list[str]) -> None:
    row = [Cell("record", n) for n in range(3)]
    stand = log_drawing.flags(offsets, row)
    assert [flag.label() for flag in stand] == labels
    assert [flag.left for flag in stand] == [flag.offset for flag in stand]


def test_a_flag_stands_beside_its_cell_also_in_the_second_line() -> None:
    row = [Cell("record", n, value="v" * 12) for n in range(9)]
    found = Partition(0, (), Offsets(0, 8, 8, 9))
    svg = log_drawing.draw("t", [(found, [Lane("", row)])], bounds=True).picture.svg
    (box,) = [n for n in svg.iter("g") if any(t.text == "8" for t in n.findall("text"))]
    (pole,) = [n for n in svg.iter("g") if any(t.text == "HW 8" for t in n.findall("text"))]
    rect, path = box.find("rect"), pole.find("path")
    assert rect is not None
    assert path is not None
    top = float(str(path.get("d")).split()[1].split("V")[0])
    assert abs(top - float(str(rect.get("y")))) <= 4


def test_texts_stay_inside_their_boxes() -> None:
    long = record(123456, b"a value that is much longer than any box " * 3, key=b"a-very-long-key" * 3)
    copy = long._replace(offset=123457)
    cluster = Logged([long, copy], Offsets(123456, 123458, 123458, 123458))
    svg = log_view(cluster, "t" * 200, numbers=True).picture.svg
    for group in svg.iter("g"):
        box = group.find("rect")
        if box is None or "box" not in str(box.get("class")):
            continue
        right = float(str(box.get("x"))) + float(str(box.get("width")))
        for each in group.findall("text"):
            per_character = 7.55 if "mono" in str(each.get("class")) else 7.0
            assert float(str(each.get("x"))) + per_character * len(each.text or "") <= right, each.text
        assert right <= WIDTH


@pytest.mark.alone
def test_a_thousand_records_are_quick_small_and_the_same() -> None:
    cluster = Logged(plain(1000), Offsets(0, 1000, 1000, 1000))
    started = time.perf_counter()
    picture = log_view(cluster, "t", isolation="both", numbers=True)
    assert time.perf_counter() - started < 1
    assert len(html(picture.static().markup)) < 100_000
    again: Any = log_view(cluster, "t", isolation="both", numbers=True)
    assert html(picture.picture.markup) == html(again.picture.markup)


def test_the_live_form_says_all_that_is_known_of_a_record(transactions: Logged) -> None:
    view = log_view(transactions, "t", isolation="both")
    assert view.details[0] == (
        "Partition 0, offset 0: key None, value b'paid'; timestamp 1970-01-01 00:00:00.000+00:00; "
        "written by producer id 700, epoch 0, sequence 0."
    )
    assert any("offset 4" in each and each.endswith("Here: undecided.") for each in view.details)
    assert "1970" not in html(view.static().markup) + repr(view)
