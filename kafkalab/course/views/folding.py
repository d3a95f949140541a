"""What is shown of fields: some marked as wrong, many records folded into one line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from kafkalab.course.views.fields import Field

RECORDS, SHOWN_RECORDS = "records", 3


def mark(fields: Sequence[Field], wrong: Mapping[int, str]) -> list[Field]:
    """Return the fields, those that hold the offsets of `wrong` marked with its messages."""
    marked = list(fields)
    for offset, why in wrong.items():
        found = [at for at, each in enumerate(fields) if each.leaf and each.start <= offset < each.end]
        if not found:
            raise LookupError(f"wrong names byte {offset}; there are only {fields[-1].end} bytes.")
        marked[found[0]] = marked[found[0]]._replace(kind="failure", meaning=why)
    return marked


def condense(fields: Sequence[Field], most: int = SHOWN_RECORDS) -> list[Field]:
    """Return the fields; of many records only the first, the last, and some in which something is wrong.

    `most` is how many, 0: none.
    """
    shown: list[Field] = []
    for are_records, blocks in itertools.groupby(_blocks(fields), lambda block: len(block) > 1):
        some = list(blocks)
        shown += _some(some, most) if are_records else [field for (field,) in some]
    return shown


def _blocks(fields: Sequence[Field]) -> Iterator[list[Field]]:
    """Yield the fields of each record together, any other field alone."""
    at = 0
    while at < len(fields):
        end = at + 1
        if fields[at].kind == "record" and not fields[at].leaf:
            while end < len(fields) and fields[end].depth > fields[at].depth:
                end += 1
        yield list(fields[at:end])
        at = end


def _some(records: Sequence[list[Field]], most: int) -> list[Field]:
    wrong = [at for at, record in enumerate(records) if any(each.kind == "failure" for each in record)]
    kept = {*range(most - 1), len(records) - 1, *wrong[:most]} if most else set()
    shown: list[Field] = []
    for keeps, some in itertools.groupby(range(len(records)), kept.__contains__):
        numbers = list(some)
        if keeps or (most and len(numbers) == 1):
            shown += [each for number in numbers for each in records[number]]
        else:
            first, last = records[numbers[0]][0], records[numbers[-1]][-1]
            name, size = f"records {numbers[0]} to {numbers[-1]}", last.end - first.start
            name = name if most else RECORDS
            folded = Field(name, first.start, size, f"{size} bytes", "left out here", "record")
            shown.append(folded._replace(depth=first.depth, folded=True))
    return shown
