"""`course_picture`: the chapters as a map, lane by lane: what each asks, what it builds on, what is finished.

    table of chapters, numbers of those finished and begun -> SVG and words

A lane is read from left to right, lanes from above. An arrow leads to a chapter from the one before that it
builds on, or to the first of a lane from the end of an earlier one; all that it builds on stands in its box.
Leaves out: links (a picture has none); the table beside it has them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

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
_MARGIN, _GUTTER, _GAP, _ABOVE, _BELOW = 14.0, 32.0, 22.0, 30.0, 16.0
_BOX = (WIDTH - _MARGIN - _GUTTER - 2 * _GAP) / 3
_HEIGHT, _LINE, _CHARACTERS = 116.0, 16.0, 34
_PITCH = _ABOVE + _HEIGHT + _BELOW
_LEGEND = (
    "In a box: minutes, or how far you are; sections of the outline (4.2);",
    "after which chapters.",
    "An arrow: this chapter builds on that one.",
    "Two lanes that no arrow joins do not need each other.",
)


class Place(NamedTuple):
    """Where a chapter's box is: the column and the row of its lane, from 0."""

    row: int
    column: int

    @property
    def x(self) -> float:
        """Its left side."""
        return _MARGIN + self.column * (_BOX + _GAP)

    @property
    def y(self) -> float:
        """Its upper side."""
        return _ABOVE + self.row * _PITCH


def course_picture(
    entries: Sequence[ChapterEntry], done: Collection[str] = (), begun: Collection[str] = ()
) -> Picture:
    """Return the map of `entries`; `done` and `begun` are numbers of chapters."""
    known = {entry.number: entry for entry in entries}
    lanes = {name: [known[each] for each in numbers if each in known] for name, numbers in LANES.items()}
    places = {
        entry.number: Place(row, column)
        for row, lane in enumerate(lanes.values())
        for column, entry in enumerate(lane)
    }
    states = {number: _state(number, done, begun) for number in known}
    names = [text(_MARGIN, Place(row, 0).y - 9, name, "title") for row, name in enumerate(lanes)]
    boxes = [_box(place, known[number], states[number]) for number, place in places.items()]
    legend = [
        text(Place(0, 1).x, Place(len(lanes) - 1, 1).y + 26 + number * 18, line, "small muted")
        for number, line in enumerate(_LEGEND)
    ]
    drawn = panel(len(lanes) * _PITCH + 2, *_ways(entries, places), *names, *boxes, *legend)
    alt = f"The course: {len(entries)} chapters in {len(lanes)} lanes, {_told(states)}."
    words = [
        line
        for name, lane in lanes.items()
        for line in (name, *(_words(each, states[each.number]) for each in lane))
    ]
    return Picture(drawn, alt, "\n".join(words))


def _state(number: str, done: Collection[str], begun: Collection[str]) -> str:
    return "done" if number in done else "begun" if number in begun else ""


def _told(states: Mapping[str, str]) -> str:
    finished = sum(state == "done" for state in states.values())
    begun = sum(state == "begun" for state in states.values())
    return f"{finished} finished" + (f", {begun} begun" if begun else "")


def _words(entry: ChapterEntry, state: str) -> str:
    facts = [f"{entry.minutes} minutes"]
    facts += [f"outline {', '.join(entry.sections)}"] if entry.sections else []
    facts += [f"builds on {', '.join(entry.needs)}"] if entry.needs else []
    return f"  {entry.number} {entry.title}: {entry.question} ({'; '.join([*facts, *filter(None, [state])])})"


def _ways(entries: Sequence[ChapterEntry], places: Mapping[str, Place]) -> Iterator[Node]:
    """Yield the arrows; those that pass a lane run in the gutter, each on a track of its own."""
    ends = {max(each for each in places.values() if each.row == place.row) for place in places.values()}
    tracks = iter((20.0, 10.0))
    for entry in entries:
        here = places[entry.number]
        before = [places[each] for each in entry.needs if each in places]
        if Place(here.row, here.column - 1) in before:
            middle = here.y + _HEIGHT / 2
            yield arrow([(here.x - _GAP, middle), (here.x, middle)], "broker")
        elif here.column == 0 and (
            above := [each for each in before if each in ends and each.row < here.row]
        ):
            last = max(above)
            yield _down(last, here, None if last.row + 1 == here.row else next(tracks))


def _down(start: Place, end: Place, track: float | None) -> Node:
    level, to = end.y - _ABOVE - _BELOW / 2 + 6, end.x + _BOX / 2
    if track is None:
        first = [(start.x + _BOX / 2, start.y + _HEIGHT)]
    else:
        side, middle = start.x + _BOX, start.y + _HEIGHT / 2
        first = [(side, middle), (side + track, middle)]
    turned = (first[-1][0], level)
    return arrow([*first, turned, (to, level), (to, end.y)], "broker")


def _box(place: Place, entry: ChapterEntry, state: str) -> Node:
    kind = {"done": "answer", "begun": "record"}.get(state, "broker")
    x, y = place.x, place.y
    asked = [
        text(x + 14, y + 50 + number * _LINE, line, "small")
        for number, line in enumerate(textwrap.wrap(entry.question, _CHARACTERS))
    ]
    first = {"done": "✓ done", "begun": "begun"}.get(state, f"{entry.minutes} min")
    rest = [", ".join(entry.sections), f"after {', '.join(entry.needs)}" if entry.needs else ""]
    note = tag(
        "text",
        tag("tspan", first, class_=f"{kind}-ink bold" if state else None),
        "".join(f" · {each}" for each in rest if each),
        x=x + 14,
        y=y + _HEIGHT - 11,
        class_="small muted",
    )
    return tag(
        "g",
        tag("rect", x=x, y=y, width=_BOX, height=_HEIGHT, rx=8, class_=f"{kind}-box"),
        badge("broker" if not state else kind, x + 26, y + 21, entry.number),
        text(x + 46, y + 26, fit(entry.title, _BOX - 50), "title" if len(entry.title) < 22 else "small bold"),
        *asked,
        note,
    )
