"""Tables of plain rows (`table`; `grid` is one without title and words), and of findings (`table_view`).

In a `table_view`, what is not fine is set off by word, weight and a bar; a finding that is fine by nothing.
Its rows all have the columns of the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kafkalab.course.cards import ACCENTS, Shown
from kafkalab.course.markup import Child, Node, tag

LEFT = "text-align:left"
_CELL = "text-align:left;padding:2px 12px"
_MARKED = f"{_CELL};font-weight:700;box-shadow:inset 4px 0 {ACCENTS['wrong']}"


def table_view(title: str, rows: Mapping[str, Mapping[str, str]], fine: str = "-") -> Shown:
    """Return a table of `rows`, each {column: finding}; a finding other than `fine` is marked.

    Raises ValueError for a row whose columns are not those of the first.
    """
    columns = list(next(iter(rows.values()), {}))
    for name, row in rows.items():
        if list(row) != columns:
            raise ValueError(f"Row {name!r} has the columns {list(row)}, the first row has {columns}.")
    heads = [tag("th", head, scope="col", style=_CELL) for head in ("", *columns)]
    body = [_row(name, row, fine) for name, row in rows.items()]
    table = tag("table", tag("caption", title), tag("thead", tag("tr", *heads)), tag("tbody", *body))
    lines = _aligned([["", *columns], *([name, *row.values()] for name, row in rows.items())])
    return Shown("\n".join([title, *lines]), table)


def _row(name: str, row: Mapping[str, str], fine: str) -> Node:
    cells = [tag("td", found, style=_CELL if found == fine else _MARKED) for found in row.values()]
    return tag("tr", tag("th", name, scope="row", style=f"{_CELL};white-space:nowrap"), *cells)


def grid(head: Sequence[str], rows: Iterable[Iterable[Sequence[Child]]], style: str = LEFT) -> Node:
    """Return a table of cells, each a sequence of children, under its heads."""
    heads = [tag("th", name, scope="col", style=style) for name in head]
    body = [tag("tr", *(tag("td", *cell, style=style) for cell in row)) for row in rows]
    return tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))


def table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Shown:
    """Return a titled table; its text has the same columns."""
    body = grid(head, ([[cell] for cell in row] for row in rows))
    caption = tag("p", tag("strong", title), style="margin:4px 0")
    return Shown("\n".join([title, *_aligned([head, *rows])]), tag("div", caption, body))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
