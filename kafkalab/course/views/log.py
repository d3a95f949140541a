"""A topic's log: what lies in its partitions, who wrote it, and how far one may read.

    cluster -> Partition per partition (`look`) -> lanes of cells (log_cells.py) -> SVG (log_drawing.py)

`log_view` shows the log as it lies there, with markers of transactions, copies and what is above the high
watermark; `log_picture` what a consumer gets. A partition without a leader is shown as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kafkalab.cluster.polling import wait_until
from kafkalab.course.views import log_cells
from kafkalab.course.views.live import Explorer
from kafkalab.course.views.log_cells import GAP, Cell, Lane, Partition
from kafkalab.course.views.log_drawing import draw

SETTLE_S = 1.5
"""How long a high watermark may lag behind the log's end before that is drawn."""
LEVELS = {
    None: ("",),
    "read_uncommitted": ("",),
    "read_committed": ("committed",),
    "both": ("uncommitted", "committed"),
}


def log_view(
    cluster: Any, topic: str, isolation: str | None = None, numbers: bool = False, *, marks: bool = True
) -> Explorer:
    """Return the log of `topic` as it is now.

    `isolation` "read_committed" shows what such a consumer gets, "both" that below the log itself. `numbers`
    adds who wrote a record: producer (p1, p2), epoch, sequence. `marks` False: equal records are no copies.
    """
    if isolation not in LEVELS:
        raise ValueError(f"isolation={isolation!r}: allowed are {', '.join(map(repr, LEVELS))}.")
    found = look(cluster, topic, committed=isolation in ("read_committed", "both"))
    names = log_cells.producers(record for each in found for record in each.records) if numbers else None
    rows = [(each, lanes(each, LEVELS[isolation], names, marks=marks)) for each in found]
    return draw(topic.removeprefix(cluster.prefix), rows, bounds=True)


def log_picture(cluster: Any, topic: str, *, isolation: str = "read_uncommitted") -> Explorer:
    """Return the records of `topic` as a consumer gets them now: the log view in its simplest form."""
    by_number: dict[int, list[Any]] = {number: [] for number in cluster.partitions(topic)}
    for record in cluster.read(topic, isolation=isolation):
        by_number[record.partition].append(record)
    rows = [(Partition(number), [Lane("", _plain(found))]) for number, found in by_number.items()]
    return draw(topic.removeprefix(cluster.prefix), rows, bounds=False)


def _plain(records: Sequence[Any]) -> list[Cell]:
    return [cell for cell in log_cells.cells(records, 0) if cell.kind != GAP]


def look(cluster: Any, topic: str, *, committed: bool) -> list[Partition]:
    """Return all partitions of `topic` as they are now; one without a leader has no offsets."""
    return [_look(cluster, topic, number, committed) for number in cluster.partitions(topic)]


def _look(cluster: Any, topic: str, number: int, committed: bool) -> Partition:
    if cluster.leader(topic, number) is None:
        return Partition(number)
    offsets = _settled(cluster, topic, number)
    records = [record for record in cluster.log(topic, number) if record.offset < offsets.log_end]
    if not committed:
        return Partition(number, records, offsets)
    visible = cluster.read(topic, isolation="read_committed", partition=number)
    return Partition(number, records, offsets, frozenset(record.offset for record in visible))


def _settled(cluster: Any, topic: str, number: int) -> Any:
    """Return the offsets once the followers have what the leader has, or as they are after a moment."""
    try:
        return wait_until(
            "the high watermark is at the log's end",
            lambda: cluster.offsets(topic, number),
            lambda offsets: offsets.high_watermark == offsets.log_end,
            timeout=SETTLE_S,
        )
    except TimeoutError:
        return cluster.offsets(topic, number)


def lanes(
    found: Partition, levels: Sequence[str], names: Mapping[int, str] | None = None, *, marks: bool = True
) -> list[Lane]:
    """Return the lanes of a partition: one for each of `levels`, empty without a leader."""
    if found.offsets is None:
        return []
    start, stable, high, _ = found.offsets
    same = log_cells.copies(found.records) if marks else {}
    drawn = []
    for level in levels:
        committed = found.committed if level == "committed" else None
        notes = same | log_cells.hidden(found.records, high, stable, committed)
        drawn.append(Lane(level, log_cells.cells(found.records, start, names, notes)))
    return drawn
