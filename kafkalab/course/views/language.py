"""The visual language on one page: every sign with its name and its meaning."""

from __future__ import annotations

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.style import badge, panel, text

SIGNS = {
    "record": ("record", "what your application means: a key, a value, headers"),
    "batch": ("batch", "records of one partition that travel together"),
    "request": ("request", "batches on their way to a broker"),
    "answer": ("acknowledgement", "what comes back, and what is done and safe"),
    "broker": ("broker", "who stores, and what it writes by itself: markers, offsets"),
    "failure": ("failure", "an error, a loss, a copy too many, a broker that is dead"),
}
SHAPES = {
    "record": "blue, round",
    "batch": "amber, square",
    "request": "violet, an arrow to the right",
    "answer": "green, an arrow to the left",
    "broker": "grey, a hexagon",
    "failure": "red, a diamond",
}
STROKES = {
    "": "a full line: it is so",
    "dashed": "a dashed line: not yet, not any more, or once again",
}
_MARGIN, _TOP, _ROW = 20, 56, 44


def visual_language() -> Picture:
    """Return the legend of all pictures."""
    signs = [_sign(kind, _TOP + at * _ROW) for at, kind in enumerate(SIGNS)]
    below = _TOP + len(SIGNS) * _ROW + 8
    strokes = [_stroke(style, words, below + at * 34) for at, (style, words) in enumerate(STROKES.items())]
    title = text(_MARGIN, 32, "What the signs mean, in every picture", "title")
    svg = panel(float(below + len(STROKES) * 34 + 6), title, *signs, *strokes)
    words = [f"  {name} ({SHAPES[kind]}): {meaning}" for kind, (name, meaning) in SIGNS.items()]
    said = ["What the signs mean", *words, *(f"  {words}" for words in STROKES.values())]
    alt = f"The signs of the pictures: {', '.join(name for name, _ in SIGNS.values())}."
    return Picture(svg, alt, "\n".join(said))


def _sign(kind: str, y: float) -> Node:
    name, meaning = SIGNS[kind]
    middle = y + 16
    return tag(
        "g",
        tag("rect", x=_MARGIN, y=float(y), width=210, height=32, rx=6, class_=f"{kind}-box"),
        badge(kind, _MARGIN + 24.0, middle, ""),
        text(_MARGIN + 48, middle + 5, name, f"bold {kind}-ink"),
        text(_MARGIN + 230, middle + 5, meaning),
    )


def _stroke(style: str, words: str, y: float) -> Node:
    drawn = f"line broker-line {style}".strip()
    return tag(
        "g",
        tag("path", d=f"M{_MARGIN} {y + 10:g}H{_MARGIN + 210}", class_=drawn),
        text(_MARGIN + 230, y + 15, words),
    )
