"""The audit: what was sent and what was told of it, compared with what lies in the log.

    audit(cluster, "orders", sent=[Sent(id=b"m0", outcome="acked", partition=0, offset=0)])

Rules
- What counts is the log as a read_committed consumer sees it, up to now. Audit when all is settled: what a
  frozen high watermark or an open transaction still hides counts as absent.
- A record is known by its id: its header `lab-id`, else its value. Records that nobody says to have sent are
  left out of account.
- Four anomalies. *Lost*: acknowledged, and nowhere. *Duplicated*: there more often than sent. *Reordered*: of
  the acknowledged records of one producer in one partition, one lies behind a record sent after it. *Aborted
  but visible*: its transaction was aborted, and consumers see it.
- Present although not acknowledged is reported, and no anomaly: "failed" never means "not written".
- Producer ids are shown as P1, P2, ... by ascending id, so that the table is the same in every run.

Leaves out: whether an acknowledged offset is where the record lies; the table shows both.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from kafkalab.cluster import Cluster, LogRecord

Outcome = Literal["acked", "failed", "unknown", "aborted"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
ID_HEADER = "lab-id"
ROWS = 20
"""How many rows of each kind are printed."""


class Sent(NamedTuple):
    """One record that a program sent, and what it was told; lists of these are in the order of sending."""

    id: bytes | str
    """Unique in the list; in the header `lab-id`, else the value."""
    outcome: Outcome
    """ "acked", "failed" (the client reported an error), "unknown" (nothing was told), "aborted"."""
    partition: int | None = None
    """As told by the acknowledgement; None when unknown."""
    offset: int | None = None
    producer: Hashable = None
    """Whatever tells one producer from another; order is judged within one."""


@dataclass(frozen=True)
class Finding:
    """One record that the audit has something to say about."""

    kind: str
    sent: Sent
    found: tuple[LogRecord, ...] = ()
    """Where it lies, in log order."""
    behind: LogRecord | None = None
    """Reordered: the record in front of it that was sent later."""


@dataclass(frozen=True)
class Audit:
    """The result; true when there is no anomaly. Print it."""

    topic: str
    sent: tuple[Sent, ...]
    records: int
    """How many records consumers see in the topic."""
    lost: list[Finding] = field(default_factory=list)
    duplicated: list[Finding] = field(default_factory=list)
    reordered: list[Finding] = field(default_factory=list)
    aborted_but_visible: list[Finding] = field(default_factory=list)
    unacknowledged_but_present: list[Finding] = field(default_factory=list)

    @property
    def anomalies(self) -> list[Finding]:
        """All findings but the unacknowledged."""
        return [*self.lost, *self.duplicated, *self.reordered, *self.aborted_but_visible]

    def __bool__(self) -> bool:
        return not self.anomalies

    def __str__(self) -> str:
        from kafkalab.faults.audit_table import table  # noqa: PLC0415 - the table knows the audit

        return table(self)

    __repr__ = __str__


def audit(cluster: Cluster, topic: str, sent: Iterable[Sent]) -> Audit:
    """Compare what was `sent`, in order, with what consumers of `topic` see now.

    Raises ValueError for an outcome that does not exist, and what Cluster.read() raises.
    """
    return judge(topic, list(sent), cluster.read(topic, isolation="read_committed"))


def judge(topic: str, sent: Sequence[Sent], records: Sequence[LogRecord]) -> Audit:
    """Do the same on records already read, in log order within each partition."""
    places = _places(records)
    result = Audit(topic, tuple(map(_checked, sent)), len(records))
    times_sent = Counter(_id(each) for each in result.sent)
    told_twice = set()
    for each in result.sent:
        found = places.get(_id(each), ())
        if each.outcome == "aborted":
            if found:
                result.aborted_but_visible.append(Finding("aborted but visible", each, found))
            continue
        if each.outcome == "acked" and not found:
            result.lost.append(Finding("lost", each))
        elif each.outcome != "acked" and found:
            result.unacknowledged_but_present.append(Finding("not acknowledged, but there", each, found))
        if len(found) > times_sent[_id(each)] and _id(each) not in told_twice:
            told_twice.add(_id(each))
            result.duplicated.append(Finding("duplicated", each, found))
    result.reordered.extend(_reordered(result.sent, places))
    return result


def _places(records: Sequence[LogRecord]) -> dict[bytes, tuple[LogRecord, ...]]:
    places: dict[bytes, list[LogRecord]] = defaultdict(list)
    for record in records:
        places[id_of(record)].append(record)
    return {each: tuple(found) for each, found in places.items()}


def id_of(record: LogRecord) -> bytes:
    """Return a stored record's id: its header `lab-id`, else its value (b"" for null)."""
    named = [value for name, value in record.headers if name == ID_HEADER]
    return named[0] if named else record.value or b""


def _reordered(sent: Sequence[Sent], places: dict[bytes, tuple[LogRecord, ...]]) -> list[Finding]:
    """Look at the first copy of each acknowledged record: none may lie behind one sent after it."""
    streams: dict[tuple[Hashable, int], list[tuple[LogRecord, int, Sent]]] = defaultdict(list)
    for position, each in enumerate(sent):
        if each.outcome == "acked" and (found := places.get(_id(each))):
            streams[each.producer, found[0].partition].append((found[0], position, each))
    findings = []
    for stream in streams.values():
        stream.sort(key=lambda entry: entry[0].offset)
        latest, in_front = -1, None
        for record, position, each in stream:
            if position < latest:
                findings.append(Finding("reordered", each, (record,), in_front))
            elif position > latest:
                latest, in_front = position, record
    return findings


def _id(sent: Sent) -> bytes:
    return sent.id.encode() if isinstance(sent.id, str) else bytes(sent.id)


def _checked(sent: Sent) -> Sent:
    if sent.outcome not in OUTCOMES:
        near = difflib.get_close_matches(str(sent.outcome), OUTCOMES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"outcome={sent.outcome!r} of {sent.id!r}: allowed are {', '.join(OUTCOMES)}{hint}")
    return sent
