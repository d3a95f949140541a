"""One storm: the load of a seed through a proxy with its faults; then all is healed, read back and judged.

Rules
- The log is judged when nothing moves any more: faults ended, clients closed, brokers healed, open
  transactions ended by a successor that goes straight to the cluster, all that is written visible.
- Besides the four anomalies of the audit: *torn*, a transaction of which consumers see a part; *misplaced*,
  acknowledged with an offset where another record lies; *no outcome*, a record whose fate was never told.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from kafkalab.cluster import Cluster, LogRecord
from kafkalab.cluster.polling import wait_until
from kafkalab.faults import clients
from kafkalab.faults.audit_table import evidence
from kafkalab.faults.auditing import Audit, id_of, judge
from kafkalab.faults.campaign.injection import Injection
from kafkalab.faults.campaign.load import Load, Transaction
from kafkalab.faults.campaign.schedule import NODE_VERBS, PARTITIONS, TOPICS, Fault, Schedule
from kafkalab.faults.clients import Client, Factory, Settings
from kafkalab.faults.proxy import FaultProxy
from kafkalab.faults.recorder import Recorder

HUNG_S = 30.0
REQUEST_TIMEOUT_MS = 700
RETRY_BACKOFF_MS = 20
KINDS = ("lost", "duplicated", "reordered", "aborted_but_visible")
OTHERS = ("torn", "misplaced", "no outcome")


class Subject(NamedTuple):
    """Which client is tried, and where."""

    cluster: Cluster
    client: Factory
    idempotence: bool


class Anomaly(NamedTuple):
    """One thing that must not be: its kind, and the evidence."""

    kind: str
    evidence: str


@dataclass
class Outcome:
    """What came of one storm."""

    schedule: Schedule
    sent: int
    acknowledged: int
    transactions: int
    fenced: int
    anomalies: list[Anomaly]
    fired: list[Fault]
    errors: list[str]
    """What verbs of transactions and starts of clients raised."""
    recorder: Recorder
    seconds: float = 0.0
    client: str = ""

    def count(self, kind: str) -> int:
        """Return how many records have this anomaly."""
        return sum(each.kind == kind for each in self.anomalies)


def settings_of(schedule: Schedule, *, idempotence: bool, transactional_id: str | None = None) -> Settings:
    """Return a client's settings in this storm."""
    return Settings(
        enable_idempotence=idempotence,
        linger_ms=schedule.linger_ms,
        batch_size=schedule.batch_size,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        delivery_timeout_ms=schedule.delivery_timeout_ms,
        retries=schedule.retries,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        max_block_ms=5_000,
        transactional_id=transactional_id,
    )


def storm(subject: Subject, schedule: Schedule) -> Outcome:
    """Run it; the cluster is healed afterwards."""
    start = time.monotonic()
    if subject.cluster.backend == "external":
        schedule = without_nodes(schedule)
    with _topics(subject.cluster) as topics:
        outcome = _run(subject, schedule, topics)
    outcome.seconds = time.monotonic() - start
    return outcome


def without_nodes(schedule: Schedule) -> Schedule:
    """Return it without faults of nodes."""
    return replace(schedule, faults=tuple(fault for fault in schedule.faults if fault.verb not in NODE_VERBS))


@contextmanager
def _topics(cluster: Cluster) -> Iterator[list[str]]:
    names = [f"{cluster.prefix}storm-{uuid.uuid4().hex[:8]}-{number}" for number in range(TOPICS)]
    try:
        for name in names:
            cluster.create_topic(name, partitions=PARTITIONS, config={"min.insync.replicas": "2"})
        yield names
    finally:
        for name in names:
            cluster.delete_topic(name)


def _run(subject: Subject, schedule: Schedule, topics: list[str]) -> Outcome:
    cluster = subject.cluster
    transactional_id = topics[0] if schedule.transactional and subject.idempotence else None
    settings = settings_of(schedule, idempotence=subject.idempotence, transactional_id=transactional_id)
    with FaultProxy(cluster.bootstrap_servers, cluster.security, record=True) as proxy:
        load = Load(
            schedule,
            topics,
            lambda: subject.client(proxy.bootstrap_servers, settings),
            transactional=transactional_id is not None,
        )
        try:
            with Injection(cluster, proxy, topics, schedule.faults) as injection:
                hung = not _in_time(load)
        finally:
            load.close()
    if any(fault.verb in NODE_VERBS for fault in injection.fired()):
        cluster.heal()
    if transactional_id is not None:
        _end_transactions(cluster, transactional_id)
    assert proxy.recorder is not None
    outcome = Outcome(
        schedule,
        sent=sum(len(client.tickets) for client in load.clients),
        acknowledged=0,
        transactions=len(load.transactions),
        fenced=load.fenced,
        anomalies=_untold(load.clients, hung=hung),
        fired=injection.fired(),
        errors=load.errors,
        recorder=proxy.recorder,
        client=load.clients[0].name if load.clients else "",
    )
    _judge(cluster, topics, load, outcome)
    return outcome


def _in_time(load: Load) -> bool:
    """Run the load; a client that blocks for ever must not block the campaign."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            load.run()
        except TimeoutError:
            pass  # records without an outcome: _untold() names them
        except BaseException as error:  # noqa: BLE001 - raised again, on the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(HUNG_S)
    if failed:
        raise failed[0]
    return not thread.is_alive()


def _end_transactions(cluster: Cluster, transactional_id: str) -> None:
    """Abort what a client left open, with a client that has no part in this."""
    with clients.open(
        "kafka-python", cluster.bootstrap_servers, Settings(transactional_id=transactional_id)
    ) as successor:
        successor.init_transactions()


def _untold(used: Sequence[Client], *, hung: bool) -> list[Anomaly]:
    told = [Anomaly("no outcome", "the client blocked for ever")] if hung else []
    return told + [
        Anomaly("no outcome", f"{ticket.value.decode()}: {client.label} never said what became of it")
        for client in used
        for ticket in client.tickets
        if not ticket.told
    ]


# --- the verdict ----------------------------------------------------------------------------------


def _judge(cluster: Cluster, topics: list[str], load: Load, outcome: Outcome) -> None:
    everything = load.sent()
    seen: set[bytes] = set()
    for topic in topics:
        _await_all_visible(cluster, topic)
        records = cluster.read(topic, isolation="read_committed")
        seen.update(id_of(record) for record in records)
        audit = judge(topic, [sent for where, sent in everything if where == topic], records)
        outcome.acknowledged += sum(sent.outcome == "acked" for sent in audit.sent)
        outcome.anomalies += _findings(audit) + _misplaced(audit, records)
    outcome.anomalies += [each for one in load.transactions for each in _torn(one, seen)]


def _await_all_visible(cluster: Cluster, topic: str) -> None:
    for partition in range(PARTITIONS):
        wait_until(
            f"everything in {topic}-{partition} is visible",
            lambda number=partition: cluster.offsets(topic, number),  # type: ignore[misc]
            lambda told: told.last_stable == told.high_watermark == told.log_end,
        )


def _findings(audit: Audit) -> list[Anomaly]:
    return [
        Anomaly(kind, f"{audit.topic}: {evidence(audit, finding)}")
        for kind in KINDS
        for finding in getattr(audit, kind)
    ]


def _misplaced(audit: Audit, records: Sequence[LogRecord]) -> list[Anomaly]:
    there: dict[bytes, set[tuple[int, int]]] = {}
    for record in records:
        there.setdefault(id_of(record), set()).add((record.partition, record.offset))
    return [
        Anomaly(
            "misplaced", f"{sent.id!r}: acked at {sent.partition}@{sent.offset}, lies at {sorted(places)}"
        )
        for sent in audit.sent
        if sent.outcome == "acked"
        and sent.offset is not None
        and (places := there.get(sent.id if isinstance(sent.id, bytes) else sent.id.encode()))
        and (sent.partition, sent.offset) not in places
    ]


def _torn(transaction: Transaction, seen: set[bytes]) -> list[Anomaly]:
    values = [ticket.value for ticket in transaction.tickets]
    visible = [value for value in values if value in seen]
    if transaction.outcome == "aborted" or not values:
        return []  # what is visible of it is an anomaly of the audit
    if len(visible) == len(values) or (transaction.outcome == "unknown" and not visible):
        return []
    part = f"{len(visible)} of {len(values)} records from {values[0].decode()} on are visible"
    return [Anomaly("torn", f"{transaction.outcome}: {part}")]
