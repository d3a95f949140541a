"""What to draw of a long row: its ends and what matters, and how much lies between."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def fitting(count: int, room: int, wanted: Iterable[int] = ()) -> list[int | str]:
    """Return the indices (of `count`) to draw, and "94 more" for those between: `room` places in all.

    Both ends are drawn, then what is `wanted`, the first ones first, and then the rest from both ends.
    """
    if count <= room:
        return list(range(count))
    last = count - 1
    ends = [n for pair in zip(range(last), range(last, 0, -1), strict=True) for n in pair]
    kept: set[int] = set()
    for index in dict.fromkeys([0, last, *(n for n in wanted if 0 <= n <= last), *ends]):
        if len(_with_gaps(kept | {index}, last)) <= room:
            kept.add(index)
    return _with_gaps(kept, last)


def _with_gaps(kept: Collection[int], last: int) -> list[int | str]:
    drawn: list[int | str] = []
    expected = 0
    for index in [*sorted(kept), last + 1]:
        left_out = index - expected
        if left_out:  # one thing takes no more room than the note that it is left out
            drawn.append(expected if left_out == 1 else f"{left_out} more")
        drawn.append(index)
        expected = index + 1
    return drawn[:-1]
