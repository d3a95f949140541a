"""The accumulator: batches filling up in their partitions, why each of them left, and the memory they hold.

    trace events -> State after some of them (batches.py) -> SVG and words

The static form shows every batch's life up to now, not moments: which batch was half full when another one
left is a matter of threads and differs from run to run, what each batch held and why it left does not. The
live form shows the moments, each with the milliseconds since the one before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from kafkalab.course.cards import Picture
from kafkalab.course.markup import Node, tag
from kafkalab.course.views.batches import (
    ACKNOWLEDGED,
    FAILED,
    IN_FLIGHT,
    OPEN,
    READY,
    Batch,
    State,
    state_at,
    steps,
    told,
)
from kafkalab.course.views.eliding import fitting
from kafkalab.course.views.live import Film, later
from kafkalab.course.views.style import WIDTH, badge, fit, panel, text

_MARGIN, _LABEL, _TOP, _WIDE, _HIGH, _BETWEEN, _ROWS, _LINES = 16, 112, 104, 140, 86, 16, 8, 2
_LEFT = _MARGIN + _LABEL
_FITTING = (WIDTH - _LEFT - _MARGIN) // _WIDE
_GAUGE = (_LEFT, 54, WIDTH - _LEFT - _MARGIN, 20)
_HINT = "Go through the trace with the slider: batches fill up, leave and are answered."
_SIGNS = {
    OPEN: ("open", "batch"),
    READY: ("ready", "batch"),
    IN_FLIGHT: ("in flight", "request"),
    ACKNOWLEDGED: ("acknowledged", "answer"),
    FAILED: ("failed", "failure"),
}


def accumulator_view(trace: Any) -> Film:
    """Return the batches of a trace (or of its events): what each held, why it left, how it ended.

    The live form goes through the trace step by step. LookupError: nothing went into the accumulator yet.
    """
    changes = steps(list(getattr(trace, "events", trace)))
    state = state_at(changes)
    if not state.batches and not state.refused:
        raise LookupError("The trace knows of no batch; was the producer made with trace=Trace() and used?")
    pairs = itertools.pairwise([None, *changes])
    said = [f"Step {n} of {len(changes)}: {_told(*pair)}" for n, pair in enumerate(pairs, start=1)]
    return Film(draw(state), said, "step", lambda n: draw(state_at(changes[: n or None])).svg, hint=_HINT)


def _told(before: Any, event: Any) -> str:
    """Return an event in words, with the time since the one before it where that is known."""
    wait = later(before, event)
    return told(event.name, event.data) + (f" ({wait})" if wait else "")


def draw(state: State) -> Picture:
    """Return the picture of `state`."""
    rows = state.rows()
    shown = list(rows.items())[:_ROWS]
    drawn, bottom = [], float(_TOP)
    for target, batches in shown:
        node, height = _row(target, batches, bottom)
        drawn.append(node)
        bottom += height + _BETWEEN
    more = len(rows) - len(shown)
    if more:
        drawn.append(text(_LEFT, bottom + 10, f"{more} more partitions", "small muted"))
        bottom += 24
    svg = panel(bottom + 2, text(_MARGIN + 4, 32, "Accumulator", "title"), *_gauge(state), *drawn)
    words = [_memory_words(state), *(_words(target, batches) for target, batches in rows.items())]
    count = f"{len(state.batches)} batch{'' if len(state.batches) == 1 else 'es'}"
    alt = (
        f"The accumulator: {count} in {len(rows)} partitions; {state.left:,} of {state.memory:,} bytes left."
    )
    return Picture(svg, alt, "\n".join(words))


def _memory_words(state: State) -> str:
    words = [f"Buffer memory: {state.left:,} of {state.memory:,} bytes left"]
    words += [f"send() waits for {size:,} bytes" for size in state.wanted]
    words += [f"{state.refused.count(error)} refused: {error}" for error in dict.fromkeys(state.refused)]
    return "; ".join(words)


def _words(target: str, batches: Sequence[Batch]) -> str:
    picked = fitting(len(batches), 12, _live(batches))
    said = [_said(batches[each]) if isinstance(each, int) else f"({each})" for each in picked]
    return f"  {target}: " + "; ".join(said)


def _said(batch: Batch) -> str:
    left = f", sent: {', '.join(batch.whys)}" if batch.whys else ""
    error = f" ({batch.error})" if batch.error else ""
    records = f"{batch.records} record{'' if batch.records == 1 else 's'}"
    return f"batch {batch.number}: {records}, {batch.percent} % full{left}, {batch.stage}{error}"


def _live(batches: Sequence[Batch]) -> list[int]:
    return [at for at, batch in enumerate(batches) if batch.stage != ACKNOWLEDGED]


def _gauge(state: State) -> list[Node]:
    """Draw buffer memory as a bar, what batches hold of it filled."""
    x, y, width, height = _GAUGE
    total = max(state.memory, 1)
    held = [batch.reserved for batch in state.batches.values() if not batch.ended]
    segments, at = [], float(x)
    for reserved in held:
        wide = width * reserved / total
        segments.append(tag("rect", x=at, y=y, width=wide, height=height, class_="batch-box"))
        at += wide
    left = f"{state.left:,} of {state.memory:,} bytes left"
    holders = (
        f", {len(held)} batch{'' if len(held) == 1 else 'es'} hold{'s' if len(held) == 1 else ''} the rest"
    )
    return [
        text(_MARGIN + 4, y + 15, "buffer memory", "muted"),
        tag("rect", x=x, y=y, width=width, height=height, rx=3, class_="lane"),
        *segments,
        tag("rect", x=x, y=y, width=width, height=height, rx=3, class_="rule"),
        text(x, y - 6, left + (holders if held else ""), "small"),
        *_trouble(state, float(x + width), 32.0),
    ]


def _trouble(state: State, x: float, y: float) -> list[Node]:
    said = [f"send() waits for {size:,} bytes" for size in state.wanted[:1]]
    said += [f"{state.refused.count(error)} refused: {error}" for error in dict.fromkeys(state.refused)]
    return [text(x, y, "; ".join(said), "small bold failure-ink end")] if said else []


def _row(target: str, batches: Sequence[Batch], y: float) -> tuple[Node, float]:
    """Return the drawing of a partition's batches, in one line or two, and its height."""
    width = WIDTH - _LEFT - _MARGIN
    picked = fitting(len(batches), _LINES * _FITTING, _live(batches))
    height = float(-(-len(picked) // _FITTING) * (_HIGH + 8) - 8)
    boxes: list[Node] = []
    for at, each in enumerate(picked):
        x, top = float(_LEFT + at % _FITTING * _WIDE), y + at // _FITTING * (_HIGH + 8)
        if isinstance(each, int):
            boxes.append(_box(batches[each], x, top))
        else:
            boxes.append(text(x + _WIDE / 2 - 4, top + _HIGH / 2 + 5, each, "small muted middle"))
    node = tag(
        "g",
        text(_MARGIN + 4, y + height / 2 + 5, fit(target, _LABEL - 12), "muted"),
        tag("rect", x=_LEFT - 5, y=y - 5, width=width + 10, height=height + 10, rx=7, class_="lane"),
        *boxes,
    )
    return node, height


def _box(batch: Batch, x: float, y: float) -> Node:
    """Draw a batch as a vessel: its level is how full it is; below its level and stage are written."""
    wide, level = _WIDE - 8, round(_HIGH * batch.percent / 100, 1)
    name, kind = _SIGNS[batch.stage]
    edge = f"{kind}-line line" + (" dashed" if batch.stage == OPEN else "")
    records = f"{batch.records} record{'' if batch.records == 1 else 's'}"
    filled = f"{batch.percent} % full"
    why = batch.error.removesuffix("Error") or (
        f"sent: {', '.join(batch.whys)}" if batch.whys else "not sent yet"
    )
    where = f" → {batch.node}" if batch.stage == IN_FLIGHT and batch.node is not None else ""
    return tag(
        "g",
        tag("rect", x=x, y=y, width=wide, height=_HIGH, rx=5, class_="ground"),
        tag(
            "rect",
            x=x,
            y=y + _HIGH - level,
            width=wide,
            height=level,
            rx=min(5.0, level / 2),
            class_=f"{kind}-wash",
        ),
        tag("rect", x=x, y=y, width=wide, height=_HIGH, rx=5, class_=edge),
        badge("batch", x + 19, y + 19, str(batch.number)),
        text(x + 38, y + 18, fit(records, wide - 42, 7.4), "small bold"),
        text(x + 38, y + 34, filled, "small"),
        text(x + 8, y + 55, fit(why, wide - 12, 6.9), "small"),
        text(x + 8, y + 75, fit(f"{name}{where}", wide - 12, 7.4), f"small bold {kind}-ink"),
    )
