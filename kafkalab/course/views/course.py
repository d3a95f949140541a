"""`course_picture`: the chapters as a map, lane by lane, with a tick on those that are finished.

    table of chapters, numbers of those finished -> SVG and words

A lane is read from left to right, lanes from above: delivery and speed do not need each other, the last lane
needs all. Leaves out: links (a picture has none); the table beside it has them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kafkalab.course.cards import Picture
from kafkalab.course.chapters import ChapterEntry
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.style import WIDTH, arrow, badge, fit, panel, text

LANES: Mapping[str, tuple[str, ...]] = {
    "Start": ("00", "01", "02"),
    "Delivery": ("03", "04", "07"),
    "Once, in order": ("08", "09", "10"),
    "Speed": ("05", "06", "11"),
    "All of it": ("12",),
}
_LABEL, _MARGIN, _ROW, _BOX, _GAP = 124, 16, 78, 54, 22


def course_picture(entries: Sequence[ChapterEntry], done: Collection[str] = ()) -> Picture:
    """Return the map of `entries`; `done` are the numbers of finished chapters."""
    by_number = {entry.number: entry for entry in entries}
    lanes = {lane: [by_number[n] for n in numbers if n in by_number] for lane, numbers in LANES.items()}
    rows = [_lane(at, lane, found, done) for at, (lane, found) in enumerate(lanes.items())]
    words = [f"{lane}: {', '.join(_words(entry, done) for entry in found)}" for lane, found in lanes.items()]
    finished = sum(entry.number in done for entry in entries)
    alt = f"The course: {len(entries)} chapters in {len(lanes)} lanes, {finished} finished."
    return Picture(panel(len(lanes) * _ROW + 14.0, *rows), alt, "\n".join(words))


def _words(entry: ChapterEntry, done: Collection[str]) -> str:
    return f"{entry.number} {entry.title}" + (" (done)" if entry.number in done else "")


def _lane(at: int, lane: str, entries: Sequence[ChapterEntry], done: Collection[str]) -> Node:
    top = 14.0 + at * _ROW
    width = (WIDTH - 2 * _MARGIN - _LABEL - 2 * _GAP) / 3
    places = [_MARGIN + _LABEL + column * (width + _GAP) for column in range(len(entries))]
    middle = top + _BOX / 2
    ways = [arrow([(x + width, middle), (x + width + _GAP, middle)], "broker") for x in places[:-1]]
    boxes = [
        _box(x, top, width, entry, entry.number in done) for x, entry in zip(places, entries, strict=True)
    ]
    return tag("g", text(_MARGIN, middle + 5, lane, "title"), *ways, *boxes)


def _box(x: float, y: float, width: float, entry: ChapterEntry, done: bool) -> Node:
    kind = "answer" if done else "broker"
    rect = tag("rect", x=x, y=y, width=width, height=_BOX, rx=8, class_=f"{kind}-box")
    note = "✓ done" if done else f"{entry.minutes} minutes"
    return tag(
        "g",
        rect,
        badge(kind, x + 24, y + _BOX / 2, entry.number),
        text(x + 46, y + 24, fit(entry.title, width - 54, 8), "bold"),
        text(x + 46, y + 42, note, "small " + ("answer-ink bold" if done else "muted")),
    )
