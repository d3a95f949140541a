"""`table_view`: findings by row and column, what is not fine set off by word, weight and a bar.

Rules: all rows have the columns of the first; what is fine is shown as given and set off by nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from kafkalab.course.cards import ACCENTS, Shown
from kafkalab.course.markup import Node, tag

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
    return Shown("\n".join([title, *_lines(columns, rows)]), table)


def _row(name: str, row: Mapping[str, str], fine: str) -> Node:
    cells = [tag("td", found, style=_CELL if found == fine else _MARKED) for found in row.values()]
    return tag("tr", tag("th", name, scope="row", style=f"{_CELL};white-space:nowrap"), *cells)


def _lines(columns: list[str], rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    lines = [["", *columns], *([name, *row.values()] for name, row in rows.items())]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
