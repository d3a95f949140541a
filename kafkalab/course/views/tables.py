"""`table`: plain rows. `table_view`: findings, what is not fine set off by word, weight and a bar.

Rules: all rows have the columns of the first; a finding that is fine is shown as given, set off by nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kafkalab.course.cards import ACCENTS, Shown
from kafkalab.course.markup import Child, Node, tag

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


def table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Shown:
    """Return a titled table; its text has the same columns."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    body = tag(
        "table",
        tag("thead", tag("tr", *(_cell("th", name, scope="col") for name in head))),
        tag("tbody", *(tag("tr", *(_cell("td", cell) for cell in row)) for row in rows)),
    )
    caption = tag("p", tag("strong", title), style="margin:4px 0")
    return Shown("\n".join([title, *lines]), tag("div", caption, body))


def _cell(name: str, content: Child, scope: str | None = None) -> Node:
    return tag(name, content, scope=scope, style="text-align:left")
