"""Read a topic's records straight from the log, with what consumers do not show: who wrote each record.

Rules
- Up to the high watermark (read_uncommitted) or the last stable offset (read_committed) as of the call.
- Control records (commit and abort markers) are left out; at read_committed so are aborted transactions'
  records, by the consumer's own rule: the broker lists aborted transactions, an abort marker ends each.
- Decoding of batches is kafka-python's MemoryRecords.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from kafka.protocol.consumer import FetchRequest
from kafka.record import MemoryRecords

from kafkalab.cluster.brokers import READ_COMMITTED, READ_UNCOMMITTED, Brokers
from kafkalab.cluster.errors import ClusterError
from kafkalab.cluster.wire import Connection, check

Isolation = Literal["read_uncommitted", "read_committed"]
LEVELS: dict[str, int] = {"read_uncommitted": READ_UNCOMMITTED, "read_committed": READ_COMMITTED}
FETCH_BYTES = 4 << 20
ABORT_MARKER = 0
SEQUENCES = 1 << 31


class LogRecord(NamedTuple):
    """One record as it lies in the log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    producer_id: int
    """-1 when the producer was not idempotent; so are epoch and sequence."""
    producer_epoch: int
    sequence: int


def read_partition(brokers: Brokers, topic: str, partition: int, isolation: str) -> Iterator[LogRecord]:
    """Yield the partition's records in offset order; `isolation` as in a consumer's isolation.level."""
    level = level_of(isolation)
    leader = brokers.await_leader(topic, partition)
    offsets = brokers.offsets(topic, partition)
    end = offsets.last_stable if level == READ_COMMITTED else offsets.high_watermark
    offset = offsets.start
    with Connection(brokers.addresses()[leader], brokers.security) as connection:
        while offset < end:
            answer = _fetch(connection, topic, partition, offset, level)
            batches = list(_batches(answer.records))
            if not batches:
                raise ClusterError(
                    f"Broker {leader} returned nothing at offset {offset} of {topic!r}-{partition}."
                )
            for batch in visible(batches, answer.aborted_transactions or []):
                yield from (r for r in _records(partition, batch) if offset <= r.offset < end)
            offset = batches[-1].next_offset


def level_of(isolation: str) -> int:
    """Return the wire's number of an isolation level. Raises ValueError for any other word."""
    if isolation not in LEVELS:
        raise ValueError(f"isolation={isolation!r}: allowed are {' and '.join(LEVELS)}.")
    return LEVELS[isolation]


def visible(batches: list[Any], aborted: list[Any]) -> Iterator[Any]:
    """Yield the batches that hold records for a consumer: no markers, nothing of an aborted transaction.

    `aborted` (producer_id, first_offset) is what the broker names; it is empty at read_uncommitted.
    """
    waiting = sorted(aborted, key=lambda transaction: transaction.first_offset)
    aborting: set[int] = set()
    for batch in batches:
        while waiting and waiting[0].first_offset <= batch.last_offset:
            aborting.add(waiting.pop(0).producer_id)
        if batch.is_control_batch:
            if _is_abort(batch):
                aborting.discard(batch.producer_id)
        elif not (batch.is_transactional and batch.producer_id in aborting):
            yield batch


def _is_abort(batch: Any) -> bool:
    return any(marker.type == ABORT_MARKER for marker in batch)


def _fetch(connection: Connection, topic: str, partition: int, offset: int, level: int) -> Any:
    kind = FetchRequest.FetchTopic
    one = kind.FetchPartition(
        partition=partition,
        current_leader_epoch=-1,
        fetch_offset=offset,
        last_fetched_epoch=-1,
        log_start_offset=-1,
        partition_max_bytes=FETCH_BYTES,
    )
    request = FetchRequest(
        replica_id=-1,
        max_wait_ms=500,
        min_bytes=1,
        max_bytes=FETCH_BYTES,
        isolation_level=level,
        session_id=0,
        session_epoch=-1,
        topics=[kind(topic=topic, partitions=[one])],
        forgotten_topics_data=[],
        rack_id="",
        version=12,
    )
    answer = connection.call(request)
    check(answer.error_code, f"Fetching from {topic!r}")
    result = answer.responses[0].partitions[0]
    check(result.error_code, f"Fetching from {topic!r} partition {partition}")
    return result


def _batches(data: Any) -> Iterator[Any]:
    records = MemoryRecords(bytes(data or b""))
    while (batch := records.next_batch()) is not None:
        yield batch


def _records(partition: int, batch: Any) -> Iterator[LogRecord]:
    for record in batch:
        position = record.offset - batch.base_offset
        sequence = (batch.base_sequence + position) % SEQUENCES if batch.base_sequence >= 0 else -1
        yield LogRecord(
            partition,
            record.offset,
            _bytes(record.key),
            _bytes(record.value),
            [(name, _bytes(value) or b"") for name, value in record.headers],
            record.timestamp,
            batch.producer_id,
            batch.producer_epoch,
            sequence,
        )


def _bytes(data: Any) -> bytes | None:
    return None if data is None else bytes(data)
