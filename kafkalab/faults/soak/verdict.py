"""What a soak has shown: the audit of every topic, the footprint, and all that counts as damage.

Rules
- Damage is any anomaly of an audit; a record that was told nothing, or twice, or a place where it does not
  lie; an error where none has a reason; half of a transaction; memory that grows; a thread or socket left.
- A run in which little was acknowledged has shown nothing, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kafkalab.cluster import LogRecord
from kafkalab.faults.auditing import Audit, id_of, judge
from kafkalab.faults.soak.book import Book
from kafkalab.faults.soak.footprint import MB, Sample, Trend
from kafkalab.faults.soak.havoc import Fault
from kafkalab.faults.soak.load import Kind

GROWTH_MB = 8.0
"""Memory may grow by that much after the warm-up, or by GROWTH_MB_PER_MINUTE, if that is more."""
GROWTH_MB_PER_MINUTE = 1.0
ENOUGH = 0.2
"""At least this share of a kind's records has to be acknowledged, or aborted on purpose."""


@dataclass(frozen=True)
class Account:
    """One kind's records, accounted for."""

    kind: Kind
    audit: Audit
    damage: tuple[str, ...]

    def count(self, outcome: str) -> int:
        """Return how many records ended so."""
        return sum(each.outcome == outcome for each in self.audit.sent)


def account(kind: Kind, books: Sequence[Book], records: Sequence[LogRecord]) -> Account:
    """Compare the kind's books with its topic, read by a read_committed consumer."""
    audit = judge(kind.topic, [each for book in books for each in book.sent()], records)
    made = Account(kind, audit, ())
    counts = {
        "lost": len(audit.lost),
        "duplicated": len(audit.duplicated),
        "out of order": len(audit.reordered),
        "aborted but visible": len(audit.aborted_but_visible),
        "told twice": sum(book.told_twice for book in books),
        "never told": 0 if kind.transactional else made.count("unknown"),
        "failed without a reason": 0 if kind.may_fail else made.count("failed"),
        "told a wrong place": _misplaced(audit, records),
        "transactions torn": _torn(books, records),
    }
    damage = [f"{kind.name}: {number} {what}" for what, number in counts.items() if number]
    settled = made.count("acked") + made.count("aborted")
    if settled < ENOUGH * len(audit.sent) or not settled:
        damage.append(f"{kind.name}: only {settled} of {len(audit.sent)} acknowledged or aborted: no proof")
    return Account(kind, audit, tuple(damage))


def _misplaced(audit: Audit, records: Sequence[LogRecord]) -> int:
    """Count acknowledgements that name an offset at which another record lies, or none."""
    lies = {(record.partition, record.offset): id_of(record) for record in records}
    told = [each for each in audit.sent if each.outcome == "acked" and each.offset is not None]
    return sum(lies.get((each.partition or 0, each.offset or 0)) != each.id for each in told)


def _torn(books: Sequence[Book], records: Sequence[LogRecord]) -> int:
    """Count transactions of unknown end of which a part is visible."""
    if not any(book.unclear for book in books):
        return 0
    visible = {id_of(record) for record in records}
    seen = [{book.value(n) in visible for n in numbers} for book in books for numbers in book.unclear]
    return sum(len(states) > 1 for states in seen)


@dataclass(frozen=True)
class Result:
    """All of it; `damage` is empty if all is well. Print `shown()`."""

    accounts: tuple[Account, ...]
    faults: tuple[Fault, ...]
    samples: tuple[Sample, ...]
    left: tuple[str, ...]
    """Threads and sockets that close() left."""
    trouble: tuple[str, ...]
    """What programs had raised to them that they cannot explain."""

    @property
    def trend(self) -> Trend:
        """How memory moved after the warm-up."""
        return Trend.of(list(self.samples))

    @property
    def damage(self) -> list[str]:
        """Name everything that should not be."""
        found = [text for each in self.accounts for text in each.damage]
        found += [f"left after close(): {name}" for name in self.left]
        found += list(self.trouble)
        minutes, slope = self.trend
        if minutes * slope > max(GROWTH_MB, GROWTH_MB_PER_MINUTE * minutes):
            found.append(f"memory grew by {slope:.2f} MB a minute over {minutes:.1f} minutes")
        return found

    def shown(self) -> RenderableType:
        """Render for the terminal."""
        unclear = [each for each in self.accounts if each.kind.transactional and each.count("unknown")]
        told = [each for each in self.accounts if each.audit.anomalies or each in unclear]
        audits = [Text(str(each.audit)) for each in told]
        verdict = [Text(f"DAMAGE  {text}", "red") for text in self.damage] or [Text("No damage.", "green")]
        return Group(self._records(), Text(self._footprint()), *audits, *verdict)

    def _records(self) -> Table:
        table = Table(title=f"Records, after {len(self.faults)} faults")
        table.add_column("producer")
        columns = ("sent", "acked", "failed", "aborted", "unknown", "lost", "twice", "moved", "ghosts")
        for heading in columns:
            table.add_column(heading, justify="right")
        for each in self.accounts:
            table.add_row(each.kind.name, *(f"{number:,}" for number in _row(each)))
        table.add_section()
        totals = [sum(column) for column in zip(*map(_row, self.accounts), strict=True)]
        table.add_row("all", *(f"{number:,}" for number in totals))
        return table

    def _footprint(self) -> str:
        rss = [sample.rss / MB for sample in self.samples]
        minutes, slope = self.trend
        memory = f"memory {rss[0]:.0f} to {rss[-1]:.0f} MB, at most {max(rss):.0f} MB" if rss else "memory ?"
        line = f"{slope:+.2f} MB a minute over the last {minutes:.1f} minutes"
        return f"{memory}, {line}; threads and sockets left after close(): {len(self.left)}"


def _row(each: Account) -> list[int]:
    audit = each.audit
    outcomes = [each.count(outcome) for outcome in ("acked", "failed", "aborted", "unknown")]
    anomalies = [audit.lost, audit.duplicated, audit.reordered, audit.aborted_but_visible]
    return [len(audit.sent), *outcomes, *map(len, anomalies)]
