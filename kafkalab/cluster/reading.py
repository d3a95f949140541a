"""Read a topic's records straight from the log, with what consumers do not show: who wrote each record.

Rules
- As a consumer: up to the high watermark (read_uncommitted) or the last stable offset (read_committed) as of
  the call. Control records (commit and abort markers) are left out; at read_committed so are aborted
  transactions' records, by the consumer's own rule: the broker lists aborted transactions, an abort marker
  ends each.
- As it lies there (`read_log`): up to the log's end, markers included. No consumer may ask for that; the
  replica id with which a broker moves a log between its own disks may.
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
CONSUMER, MOVER = -1, -3
MARKERS = {0: "abort", 1: "commit"}
SEQUENCES = 1 << 31
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")  # as the lowest three bits of a batch's attributes count


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
    control: str = ""
    """"commit" or "abort" for a transaction's marker; "" for a record."""


class LogBatch(NamedTuple):
    """One record batch as it lies in the log."""

    base_offset: int
    records: int
    codec: str
    """"none", "gzip", "snappy", "lz4" or "zstd"."""
    raw: bytes
    """All of it, header included."""


def read_partition(brokers: Brokers, topic: str, partition: int, isolation: str) -> Iterator[LogRecord]:
    """Yield the partition's records in offset order; `isolation` as in a consumer's isolation.level."""
    level = level_of(isolation)
    offsets = brokers.offsets(topic, partition)
    end = offsets.last_stable if level == READ_COMMITTED else offsets.high_watermark
    span = (offsets.start, end)
    for batches, answer in _fetches(brokers, topic, partition, span, level, CONSUMER):
        for batch in visible(batches, answer.aborted_transactions or []):
            yield from _records(partition, batch, span)


def read_log(brokers: Brokers, topic: str, partition: int) -> Iterator[LogRecord]:
    """Yield all that the leader has, in offset order: markers, and what is above the high watermark, too."""
    offsets = brokers.offsets(topic, partition)
    span = (offsets.start, offsets.log_end)
    for batches, _ in _fetches(brokers, topic, partition, span, READ_UNCOMMITTED, MOVER):
        for batch in batches:
            yield from _records(partition, batch, span)


def read_batches(brokers: Brokers, topic: str, partition: int) -> Iterator[LogBatch]:
    """Yield the partition's record batches in offset order, up to the high watermark."""
    offsets = brokers.offsets(topic, partition)
    span = (offsets.start, offsets.high_watermark)
    for batches, answer in _fetches(brokers, topic, partition, span, READ_UNCOMMITTED, CONSUMER):
        at = 0
        for batch in batches:
            raw = bytes(answer.records[at : (at := at + batch.size_in_bytes)])
            count = batch.last_offset - batch.base_offset + 1
            yield LogBatch(batch.base_offset, count, CODECS[batch.compression_type], raw)


def _fetches(
    brokers: Brokers, topic: str, partition: int, span: tuple[int, int], level: int, replica: int
) -> Iterator[tuple[list[Any], Any]]:
    """Yield the batches of each fetch from the leader, and its answer."""
    leader = brokers.await_leader(topic, partition)
    offset, end = span
    with Connection(brokers.addresses()[leader], brokers.security) as connection:
        while offset < end:
            answer = _fetch(connection, topic, partition, offset, level, replica)
            batches = list(_batches(answer.records))
            if not batches:
                raise ClusterError(
                    f"Broker {leader} returned nothing at offset {offset} of {topic!r}-{partition}."
                )
            yield batches, answer
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
    return any(MARKERS.get(marker.type) == "abort" for marker in batch)


def _fetch(connection: Connection, topic: str, partition: int, offset: int, level: int, replica: int) -> Any:
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
        replica_id=replica,
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


def _records(partition: int, batch: Any, span: tuple[int, int]) -> Iterator[LogRecord]:
    for record in batch:
        if not span[0] <= record.offset < span[1]:
            continue
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
            MARKERS.get(record.type, "marker") if batch.is_control_batch else "",
        )


def _bytes(data: Any) -> bytes | None:
    return None if data is None else bytes(data)
