"""What a log holds, as a row of cells: records, markers, gaps, and what is to be noticed about each.

    records and offsets of a partition -> lanes of cells -> those that fit on a row

Marks: "same as 3" for a record whose producer wrote the same at offset 3 (same header lab-id, else same key
and value); "above HW" for what no consumer may read yet; and for consumers of committed records "undecided"
(its transaction is open) and "aborted".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

RECORD, MARKER, GAP = "record", "marker", "gap"
ABOVE, UNDECIDED, ABORTED = "above HW", "undecided", "aborted"
LAB_ID = "lab-id"


class Cell(NamedTuple):
    """One thing on the row; `offset` is None for "94 more", which `value` then says.

    `detail` says all that is known of it, what differs from run to run, too: it is for the live form.
    """

    kind: str
    offset: int | None
    key: str = ""
    value: str = ""
    numbers: str = ""
    note: str = ""
    detail: str = ""

    @property
    def noteworthy(self) -> bool:
        """Whether it is drawn even where most of the log is left out."""
        return bool(self.note) or self.kind != RECORD

    @property
    def absent(self) -> bool:
        """Whether the consumer in question is not given the record."""
        return self.note in (UNDECIDED, ABORTED)

    def words(self) -> str:
        """Return the cell as text."""
        if self.offset is None:
            return f"({self.value})"
        if self.absent:
            return f"{self.offset}: ({self.note})"
        what = f"{self.key}={self.value}" if self.key else self.value
        about = ", ".join(part for part in (self.numbers, self.note) if part)
        return f"{self.offset}: {what}" + (f" [{about}]" if about else "")


class Lane(NamedTuple):
    """One row of cells; `name` says what a consumer reads, "" if it goes without saying."""

    name: str
    cells: Sequence[Cell]


class Partition(NamedTuple):
    """One partition as it was found; `committed` holds the offsets that read_committed gets, if asked."""

    number: int
    records: Sequence[Any] = ()
    offsets: Any = None
    committed: Collection[int] | None = None


def producers(records: Iterable[Any]) -> dict[int, str]:
    """Return a name for each producer id, in the order in which they come: p1, p2, ..."""
    ids = dict.fromkeys(record.producer_id for record in records if record.producer_id >= 0)
    return {number: f"p{at}" for at, number in enumerate(ids, 1)}


def cells(
    records: Sequence[Any],
    first: int,
    names: Mapping[int, str] | None = None,
    notes: Mapping[int, str] | None = None,
) -> list[Cell]:
    """Return a cell for each of `records` and for each gap between them; `first` is the log's start.

    `names` of producers ask for their numbers; `notes` are by offset.
    """
    notes, row, expected = notes or {}, list[Cell](), 0
    for record in records:
        if record.offset > expected:
            row.append(_gap(expected, record.offset, first))
        row.append(_cell(record, names, notes.get(record.offset, "")))
        expected = record.offset + 1
    return row


def _gap(start: int, end: int, first: int) -> Cell:
    last = f" to {end - 1}" if end - 1 > start else ""
    return Cell(GAP, start, value="deleted" if end <= first else f"nothing{last}")


def _cell(record: Any, names: Mapping[int, str] | None, note: str) -> Cell:
    numbers = "" if names is None else _numbers(record, names)
    control = record.control
    detail = _detail(record, control) + (f" Here: {note}." if note else "")
    if control:
        return Cell(MARKER, record.offset, "", control, numbers, note, detail)
    return Cell(RECORD, record.offset, readable(record.key), readable(record.value), numbers, note, detail)


def _detail(record: Any, control: str) -> str:
    what = f"{control} marker" if control else f"key {record.key!r}, value {record.value!r}"
    headers = ", ".join(f"{name}={value!r}" for name, value in record.headers)
    when = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat(" ", "milliseconds")
    wrote = "written without a producer id"
    if record.producer_id >= 0:
        wrote = f"written by producer id {record.producer_id}, epoch {record.producer_epoch}"
        wrote += f", sequence {record.sequence}" if record.sequence >= 0 else ""
    parts = [what, *([f"headers {headers}"] if headers else []), f"timestamp {when}", wrote]
    return f"Partition {record.partition}, offset {record.offset}: {'; '.join(parts)}."


def _numbers(record: Any, names: Mapping[int, str]) -> str:
    if record.producer_id < 0:
        return "no id"
    sequence = f" s{record.sequence}" if record.sequence >= 0 else ""
    return f"{names[record.producer_id]} e{record.producer_epoch}{sequence}"


def readable(data: bytes | None) -> str:
    """Return bytes as text where they are text, else in hex; "" for none."""
    if data is None:
        return ""
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        return "0x" + data.hex()
    return decoded if decoded.isprintable() else "0x" + data.hex()


def copies(records: Iterable[Any]) -> dict[int, str]:
    """Return "same as N" for the offset of each record that its producer had written before."""
    seen: dict[Any, int] = {}
    found = {}
    for record in records:
        if record.control:
            continue
        ids = [value for name, value in record.headers if name == LAB_ID]
        identity = (record.producer_id, ids[0] if ids else (record.key, record.value))
        first = seen.setdefault(identity, record.offset)
        if first != record.offset:
            found[record.offset] = f"same as {first}"
    return found


def hidden(
    records: Iterable[Any], high_watermark: int, stable: int, committed: Collection[int] | None
) -> dict[int, str]:
    """Return why a consumer does not get the record at an offset; `committed` None: it reads all."""
    found = {}
    for record in records:
        if record.offset >= high_watermark:
            found[record.offset] = ABOVE
        elif committed is not None and not record.control:
            if record.offset >= stable:
                found[record.offset] = UNDECIDED
            elif record.offset not in committed:
                found[record.offset] = ABORTED
    return found


def worth(row: Sequence[Cell], needed: Iterable[int] = ()) -> list[int]:
    """Return the indices of what should be drawn even of a long row: `needed`, notes, markers and gaps."""
    noteworthy = sorted((n for n, cell in enumerate(row) if cell.noteworthy), key=lambda n: not row[n].note)
    return [*needed, *noteworthy]
