"""Producer: a record's way from the application to the accumulator, in four steps.

    send(record) ─▶ interceptors ─▶ serializers ─▶ partitioner ─▶ accumulator ─▶ (future)
                                                                       │
                                       Sender, on the I/O thread ──────┘──▶ brokers

Each step is an object handed to the producer, so each can be replaced by one of yours.

Rules: what is wrong with the call (types, names, a closed producer) raises at once; what goes wrong with the
delivery (metadata, memory, size, brokers) reaches the caller through the future, exactly once; send() waits
for nothing but metadata and memory, max_block_ms at most. Any number of threads may send.

Leaves out: what happens when it is forgotten or forked (lifecycle.py).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from kafkalab.producer import lifecycle
from kafkalab.producer import sender as io
from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import ProducerClosedError, ProducerForkedError, UnknownPartitionError
from kafkalab.producer.futures import DeliveryFuture, failed
from kafkalab.producer.interceptors import ProducerInterceptors
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.ordering import Ordering
from kafkalab.producer.partitioners import DefaultPartitioner, Partitions
from kafkalab.producer.record import (
    Header,
    ProducerRecord,
    RecordMetadata,
    TopicPartition,
    check_record,
    check_topic,
)
from kafkalab.producer.record_batch import RawRecord, body_size, check_size, record_size
from kafkalab.producer.serializers import bytes_serializer, serialize
from kafkalab.producer.tracing import Tracer
from kafkalab.producer.transactions import TransactionManager, ordering_of, transactions_of


class Producer:
    """A Kafka producer to read (Java: `KafkaProducer`).

    Keyword arguments are the settings of `ProducerConfig`, plus `trace` (tracing.py) and what makes another
    `accumulator` or `ordering` (ordering.py) than the usual one. Raises ConfigError for bad settings.
    Use it in a `with` statement, or call close(): what was accepted is delivered first.
    """

    def __init__(
        self,
        *,
        trace: Tracer | None = None,
        accumulator: Callable[[ProducerConfig, Tracer | None], RecordAccumulator] = RecordAccumulator,
        ordering: Callable[[ProducerConfig, Tracer | None], Ordering] = ordering_of,
        **settings: Any,
    ) -> None:
        self.config = config = ProducerConfig.of(settings)
        self.interceptors = ProducerInterceptors(config.interceptors)
        self.partitioner = config.partitioner or DefaultPartitioner(
            ignore_keys=config.partitioner_ignore_keys,
            sticky_bytes=max(config.batch_size, 1),
            adaptive=config.partitioner_adaptive_partitioning_enable,
        )
        self.metadata = Metadata(config)
        self.accumulator = accumulator(config, trace)
        self.ordering = ordering(config, trace)
        client = NetworkClient(config)
        self.sender = io.Sender(config, self.accumulator, self.metadata, client, self.ordering, trace)
        self._trace = trace if trace is not None and trace.records else None
        self._in_transaction = self.ordering if isinstance(self.ordering, TransactionManager) else None
        self._watched = self._trace is not None or bool(self.interceptors)
        self._takes_bytes = config.value_serializer is bytes_serializer
        self._choose = self.partitioner.partition
        self._on_new_batch = getattr(self.partitioner, "on_new_batch", None)
        self._numbers = itertools.count()
        self._refusal: Exception | None = None
        self._gate = self._in_transaction.check_send if self._in_transaction is not None else None
        self._thread = io.start(self.sender, name=f"{config.client_id}-network-thread")
        lifecycle.watch(self)

    def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        headers: Sequence[Header] | None = None,
        timestamp_ms: int | None = None,
    ) -> DeliveryFuture:
        """Accept a record and return at once with the future of its RecordMetadata.

        `partition` None lets the partitioner choose; `timestamp_ms` None means now. Raises TypeError or
        ValueError for a record that cannot be one, UnknownPartitionError, ProducerClosedError and what
        serializers and partitioner raise. All else is an error of the future.
        """
        if self._gate is not None:  # closed, forked, or transactional
            self._gate()
        number = None
        if self._watched:  # by interceptors, or by a trace that wants to hear of every record
            number, record = self._intercept(topic, value, key, partition, headers, timestamp_ms)
            topic, value, key, partition, headers, timestamp_ms = record
        known = type(topic) is str and topic in self.metadata.topics
        if not known or partition is not None or headers or timestamp_ms is not None:
            headers = check_record(topic, partition, headers, timestamp_ms)
        if key is not None or type(value) is not bytes or not self._takes_bytes:
            key, value = self._serialize(topic, key, value)
        if timestamp_ms is None:
            timestamp_ms = time.time_ns() // 1_000_000
        try:
            future = self._append(topic, partition, (timestamp_ms, key, value, headers or ()), number)
        except (UnknownPartitionError, ProducerClosedError):
            raise
        except KafkaError as error:
            if self._in_transaction is not None:
                self._in_transaction.note_failure(error)
            future = failed(topic, partition, error)
            self._tell("refused", number, error=type(error).__name__)
        if number is not None and self.interceptors:
            future.add_done_callback(self._tell_interceptors)
        return future

    def flush(self) -> None:
        """Send everything now, without lingering, and wait until every outcome is known and told.

        Errors stay in the futures. Raises RuntimeError in a callback, where it would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("flush() in a callback waits for itself: call it on another thread")
        self._check_not_forked()
        self.accumulator.flush()

    def close(self, timeout: float | None = None) -> None:
        """Deliver what was accepted, `timeout` seconds at most (None: as long as it takes), and end.

        What is not acknowledged by then fails with ProducerClosedError; an open transaction is aborted.
        Closing twice is no error.
        """
        if isinstance(self._refusal, ProducerForkedError):
            return  # threads and connections are the parent's
        self.disown(ProducerClosedError("the producer is closed: make a new one to send more"))
        self.accumulator.close()
        self.metadata.close()
        self.sender.close()
        if threading.current_thread() is self._thread:
            return  # called from a callback: the loop ends by itself after it
        if not self.sender.ended.wait(timeout):
            self.sender.abort()
        self._thread.join()

    def partitions_for(self, topic: str) -> Partitions:
        """Return the topic's partition ids, waiting up to max_block_ms; raises MetadataTimeoutError."""
        check_topic(topic)
        self._check_not_forked()
        return self.metadata.partitions(topic, self._deadline())

    @property
    def _transactions(self) -> TransactionManager:
        self._check_not_forked()
        return transactions_of(self.ordering)

    def init_transactions(self) -> None:
        """Get ready for transactions, and fence older producers of this transactional_id."""
        self._transactions.init_transactions()

    def begin_transaction(self) -> None:
        """Open a transaction: what is sent from now on becomes visible together, or never."""
        self._transactions.begin_transaction()

    def send_offsets_to_transaction(
        self, offsets: Mapping[Any, int | OffsetAndMetadata], group_metadata: str | ConsumerGroupMetadata
    ) -> None:
        """Commit a consumer group's offsets with the transaction: {partition: the next offset to read}."""
        self._transactions.send_offsets_to_transaction(offsets, group_metadata)

    def commit_transaction(self) -> None:
        """Make everything sent in the transaction visible; raises what made a record of it fail."""
        self._transactions.commit_transaction()

    def abort_transaction(self) -> None:
        """Give up the transaction: consumers that read committed records never see any of it."""
        self._transactions.abort_transaction()

    def metrics(self) -> dict[str, float]:
        """Return how much was done so far, by the names of the Java client's metrics where it has them."""
        counted, pool = self.sender.counted, self.accumulator.pool
        batches = max(counted["batch_total"], 1)
        return {
            **counted,
            "buffer_total_bytes": pool.total,
            "buffer_available_bytes": pool.available,
            "waiting_threads": pool.waiting,
            "batch_size_avg": counted["byte_total"] / batches,
            "records_per_batch_avg": counted["record_send_total"] / batches,
        }

    def disown(self, reason: Exception) -> None:
        """Take no more records, and say why: this one was closed, or is a copy in a forked process."""
        self._refusal, self._gate = reason, self._refuse

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the four steps ---------------------------------------------------------------------------

    def _intercept(self, *fields: Any) -> tuple[int, ProducerRecord]:
        number, record = next(self._numbers), ProducerRecord(*fields)
        self._tell("send", number, topic=record.topic)
        record = self.interceptors.on_send(record)
        self._tell("intercepted", number)
        return number, record

    def _serialize(self, topic: str, key: Any, value: Any) -> tuple[bytes | None, bytes | None]:
        key = serialize(self.config.key_serializer, topic, key, "key")
        return key, serialize(self.config.value_serializer, topic, value, "value")

    def _append(
        self, topic: str, partition: int | None, record: RawRecord, number: int | None
    ) -> DeliveryFuture:
        """Choose the partition and append the record there; wait for metadata and memory if need be."""
        _, key, value, _ = record
        deadline = 0.0
        partitions = self.metadata.topics.get(topic)
        if partitions is None or (partition is not None and partition >= len(partitions)):
            check_size(record, self.config.max_request_size)  # before any traffic
            deadline = self._deadline()
            partitions = self.metadata.partitions(topic, deadline, partition=partition)
        chosen = self._choose(topic, key, value, partitions) if partition is None else partition
        try:
            target = partitions.targets[chosen]
        except KeyError:
            raise self._no_such_partition(chosen, topic, partitions) from None
        if number is not None:
            self._tell("serialized", number, key=key, value=value)
            self._tell("partitioned", number, **target._asdict())
        future = self.accumulator.try_append(target, record)
        if future is None:
            movable = partitions if key is None and partition is None else None
            future = self._open_batch(target, record, movable, deadline or self._deadline())
        if number is not None:
            size = record_size(body_size(record))
            self._tell("appended", number, **future.target._asdict(), batch=future.batch, size=size)
        return future

    def _open_batch(
        self, target: TopicPartition, record: RawRecord, movable: Partitions | None, deadline: float
    ) -> DeliveryFuture:
        """Open a batch; a record that may go anywhere (in `movable`) may move on to another partition."""
        check_size(record, self.config.max_request_size)
        if movable is not None and self._on_new_batch is not None:
            size, box = record_size(body_size(record)), self.accumulator
            target = self._on_new_batch(target, size, movable, box.appended, box.waiting)
            future = self.accumulator.try_append(target, record)
            if future is not None:
                return future
        return self.accumulator.open_batch(target, record, deadline)

    def _no_such_partition(self, chosen: object, topic: str, partitions: Partitions) -> ValueError:
        return ValueError(
            f"{self.partitioner!r} chose partition {chosen!r} of topic {topic!r}, "
            f"which has {list(partitions)}: return one of these numbers"
        )

    def _tell(self, name: str, number: int | None, **data: Any) -> None:
        if self._trace is not None:
            self._trace(name, record=number, **data)

    def _tell_interceptors(self, future: DeliveryFuture) -> None:
        error = future.exception(0)
        metadata: RecordMetadata | None = future.result(0) if error is None else None
        self.interceptors.on_acknowledgement(metadata, error)

    def _deadline(self) -> float:
        return time.monotonic() + self.config.max_block_ms / 1000

    def _refuse(self) -> None:
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)

    def _check_not_forked(self) -> None:
        if isinstance(self._refusal, ProducerForkedError):
            self._refuse()
