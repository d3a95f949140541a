"""Producer: a record's way from the application to the accumulator, in four steps.

    send(record) ─▶ interceptors ─▶ serializers ─▶ partitioner ─▶ accumulator ─▶ (future)
                                                                       │
                                       Sender, on the I/O thread ──────┘──▶ brokers

Each step is an object handed to the producer, so each can be replaced by one of yours.

Rules: what is wrong with the call (types, names, a closed producer) raises at once; what goes wrong
with the delivery (metadata, memory, size, brokers) reaches the caller through the future, exactly
once; send() waits for nothing but metadata and memory, max_block_ms at most. Any number of threads
may send.

Leaves out, for now: idempotence and transactions.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from kafka.errors import KafkaError

from kafkalab.producer import sender as io
from kafkalab.producer.accumulator import Appended, RecordAccumulator
from kafkalab.producer.batch import TopicPartition
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import ProducerClosedError, RecordTooLargeError, UnknownPartitionError
from kafkalab.producer.futures import DeliveryFuture, failed
from kafkalab.producer.interceptors import ProducerInterceptors
from kafkalab.producer.metadata import Metadata
from kafkalab.producer.network_client import NetworkClient
from kafkalab.producer.partitioners import DefaultPartitioner, Partitions
from kafkalab.producer.record import Header, ProducerRecord, RecordMetadata, check_record, check_topic
from kafkalab.producer.record_batch import HEADER_SIZE, RawRecord, record_size
from kafkalab.producer.serializers import serialize
from kafkalab.producer.tracing import Tracer


class Producer:
    """A Kafka producer to read (Java: `KafkaProducer`).

    Keyword arguments are the settings of `ProducerConfig`, plus `trace` (see tracing.py) and
    `accumulator`, a class to use in place of RecordAccumulator. Raises ConfigError for bad settings.
    Use it in a `with` statement, or call close(): what was accepted is delivered first.
    """

    def __init__(
        self,
        *,
        trace: Tracer | None = None,
        accumulator: Callable[[ProducerConfig, Tracer | None], RecordAccumulator] = RecordAccumulator,
        **settings: Any,
    ) -> None:
        self.config = config = ProducerConfig.of(settings)
        self.interceptors = ProducerInterceptors(config.interceptors)
        self.partitioner = config.partitioner or DefaultPartitioner(
            ignore_keys=config.partitioner_ignore_keys, sticky_bytes=max(config.batch_size, 1)
        )
        self.metadata = Metadata(config)
        self.accumulator = accumulator(config, trace)
        self.sender = io.Sender(config, self.accumulator, self.metadata, NetworkClient(config), trace)
        self._on_append = getattr(self.partitioner, "on_append", None)
        self._trace = trace if trace is not None and trace.records else None
        self._numbers = itertools.count()
        self._closed = False
        self._thread = io.start(self.sender, name=f"{config.client_id}-network-thread")

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
        if self._closed:
            raise ProducerClosedError("the producer is closed: make a new one to send more")
        deadline = time.monotonic() + self.config.max_block_ms / 1000
        number = None if self._trace is None else next(self._numbers)
        record = ProducerRecord(topic, value, key, partition, headers or (), timestamp_ms)
        record = self._intercept(record, number)
        check_record(record)
        key_bytes, value_bytes = self._serialize(record, number)
        try:
            future = self._accept(record, key_bytes, value_bytes, deadline, number)
        except (UnknownPartitionError, ProducerClosedError):
            raise
        except KafkaError as error:
            future = failed(record.topic, record.partition, error)
        if self.interceptors:
            future.add_done_callback(self._tell_interceptors)
        return future

    def flush(self) -> None:
        """Send everything now, without lingering, and wait until every outcome is known and told.

        Errors stay in the futures. Raises RuntimeError in a callback, where it would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("flush() in a callback waits for itself: call it on another thread")
        self.accumulator.flush()

    def close(self, timeout: float | None = None) -> None:
        """Deliver what was accepted, `timeout` seconds at most (None: as long as it takes), and end.

        What is not acknowledged by then fails with ProducerClosedError. Closing twice is no error.
        """
        self._closed = True
        self.accumulator.close()
        self.metadata.close()
        self.sender.close()
        if threading.current_thread() is self._thread:
            return  # called from a callback: the loop ends by itself after it
        self._thread.join(timeout)
        if self._thread.is_alive():
            self.sender.abort()
            self._thread.join()

    def partitions_for(self, topic: str) -> Partitions:
        """Return the topic's partition ids, waiting up to max_block_ms; raises MetadataTimeoutError."""
        check_topic(topic)
        return self.metadata.partitions(topic, time.monotonic() + self.config.max_block_ms / 1000)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the four steps ---------------------------------------------------------------------------

    def _intercept(self, record: ProducerRecord, number: int | None) -> ProducerRecord:
        if self._trace is not None:
            self._trace("send", record=number, topic=record.topic)
        if self.interceptors:
            record = self.interceptors.on_send(record)
            if self._trace is not None:
                self._trace("intercepted", record=number)
        return record

    def _serialize(self, record: ProducerRecord, number: int | None) -> tuple[bytes | None, bytes | None]:
        key = serialize(self.config.key_serializer, record.topic, record.key, "key")
        value = serialize(self.config.value_serializer, record.topic, record.value, "value")
        if self._trace is not None:
            self._trace("serialized", record=number, key=key, value=value)
        return key, value

    def _accept(
        self,
        record: ProducerRecord,
        key: bytes | None,
        value: bytes | None,
        deadline: float,
        number: int | None,
    ) -> DeliveryFuture:
        timestamp = int(time.time() * 1000) if record.timestamp_ms is None else record.timestamp_ms
        headers = record.headers and tuple((name, content) for name, content in record.headers)
        raw = RawRecord(timestamp, key, value, headers)  # with headers of its own: the caller's may change
        size = record_size(raw)
        self._check_size(HEADER_SIZE + size)
        partitions = self.metadata.partitions(record.topic, deadline, partition=record.partition)
        target = TopicPartition(record.topic, self._partition(record, key, value, partitions))
        if self._trace is not None:
            self._trace("partitioned", record=number, topic=target.topic, partition=target.partition)
        appended = self.accumulator.append(target, raw, deadline)
        self._after_append(
            appended, size, sticky=key is None and record.partition is None, partitions=partitions
        )
        if self._trace is not None:
            batch = appended.batch
            self._trace(
                "appended", record=number, topic=target.topic, partition=target.partition, batch=batch.number
            )
        return appended.future

    def _check_size(self, size: int) -> None:
        if size > self.config.max_request_size:
            limit = f"max_request_size={self.config.max_request_size}"
            raise RecordTooLargeError(f"{size} bytes in a batch exceed {limit}: raise it, or send less")

    def _partition(
        self, record: ProducerRecord, key: bytes | None, value: bytes | None, partitions: Partitions
    ) -> int:
        if record.partition is not None:
            return record.partition
        chosen = self.partitioner.partition(record.topic, key, value, partitions)
        if not isinstance(chosen, int) or chosen not in partitions:
            raise ValueError(
                f"{self.partitioner!r} chose partition {chosen!r} of topic {record.topic!r}, "
                f"which has {list(partitions)}: return one of these numbers"
            )
        return chosen

    def _after_append(self, appended: Appended, size: int, *, sticky: bool, partitions: Partitions) -> None:
        """Let a partitioner that balances by bytes know where they went."""
        if sticky and self._on_append is not None:
            topic, partition = appended.batch.target
            self._on_append(topic, partition, size, appended.batch_full, partitions)

    def _tell_interceptors(self, future: DeliveryFuture) -> None:
        error = future.exception(0)
        metadata: RecordMetadata | None = future.result(0) if error is None else None
        self.interceptors.on_acknowledgement(metadata, error)
