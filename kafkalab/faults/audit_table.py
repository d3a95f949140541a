"""An audit as a table of plain text.

Rules: what is the same in every run only; producer ids are P1, P2, ... by ascending id.
"""

from collections.abc import Sequence

from kafkalab.cluster import LogRecord
from kafkalab.faults.auditing import ROWS, Audit, Finding, Sent

KINDS = {
    "lost": "LOST",
    "duplicated": "DUPLICATED",
    "reordered": "REORDERED",
    "aborted_but_visible": "ABORTED BUT VISIBLE",
    "unacknowledged_but_present": "there, though not acknowledged",
}
HEAD = ("what", "record", "the program was told", "the log says")


def table(audit: Audit) -> str:
    """Return what print(audit) shows."""
    acked = sum(each.outcome == "acked" for each in audit.sent)
    lines = [f"{audit.topic}: {len(audit.sent)} sent, {acked} acknowledged, {audit.records} in the log"]
    ids = _relative_ids(audit)
    rows = [row for name, kind in KINDS.items() for row in _rows(kind, getattr(audit, name), ids)]
    if rows:
        lines += _aligned([HEAD, *rows])
    if audit:
        lines.append("No anomaly: nothing lost, duplicated, reordered, or aborted but visible.")
    return "\n".join(lines)


def evidence(audit: Audit, finding: Finding) -> str:
    """Return one finding of the audit as a line: record, what was told, where it lies."""
    where = _found(finding, _relative_ids(audit))
    return f"{_name(finding.sent)} ({_told(finding.sent)}) lies {where}".replace(
        "lies partition", "lies in partition"
    )


def _rows(kind: str, findings: Sequence[Finding], ids: dict[int, str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (kind, _name(each.sent), _told(each.sent), _found(each, ids)) for each in findings[:ROWS]
    ]
    if len(findings) > ROWS:
        rows.append((kind, f"... and {len(findings) - ROWS} more", "", ""))
    return rows


def _name(sent: Sent) -> str:
    text = sent.id if isinstance(sent.id, str) else sent.id.decode(errors="backslashreplace")
    return text if len(text) <= 24 else f"{text[:21]}..."


def _told(sent: Sent) -> str:
    if sent.outcome != "acked" or sent.offset is None:
        return sent.outcome
    where = f" of partition {sent.partition}" if sent.partition is not None else ""
    return f"acked, offset {sent.offset}{where}"


def _found(finding: Finding, ids: dict[int, str]) -> str:
    if not finding.found:
        return "nowhere"
    places = [_place(record, ids) for record in finding.found]
    behind = f", behind offset {finding.behind.offset}, which was sent later" if finding.behind else ""
    return f"partition {finding.found[0].partition}: {'; '.join(places)}{behind}"


def _place(record: LogRecord, ids: dict[int, str]) -> str:
    if record.producer_id < 0:
        return f"offset {record.offset} (no producer id)"
    who = ids[record.producer_id]
    return f"offset {record.offset} (pid {who}, epoch {record.producer_epoch}, sequence {record.sequence})"


def _relative_ids(audit: Audit) -> dict[int, str]:
    findings = [each for name in KINDS for each in getattr(audit, name)]
    seen = sorted(
        {record.producer_id for each in findings for record in each.found if record.producer_id >= 0}
    )
    return {producer_id: f"P{number}" for number, producer_id in enumerate(seen, 1)}


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [line.rstrip() for line in [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]]
