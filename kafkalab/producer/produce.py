"""The Produce request and its answer: what a leader is sent, and what it says of each batch.

No I/O and no decisions: the sender (sender.py) asks and acts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from kafka import errors as kafka_errors
from kafka.protocol.producer import ProduceRequest

from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.record import TopicPartition


class Answer(NamedTuple):
    """What the leader of `target` says: the offset of the first record, or an error."""

    target: TopicPartition
    error: kafka_errors.KafkaError | None
    code: int
    base_offset: int
    log_append_time_ms: int


def produce_request(
    batches: Iterable[ProducerBatch], config: ProducerConfig, transactional_id: str | None, max_version: int
) -> ProduceRequest:
    """Return the Produce request that carries `batches`, at most one per partition."""
    topics: dict[str, list[Any]] = defaultdict(list)
    topic_data = ProduceRequest.TopicProduceData
    for batch in batches:
        topic, partition = batch.target
        topics[topic].append(topic_data.PartitionProduceData(index=partition, records=batch.encode()))
    return ProduceRequest(
        transactional_id=transactional_id,
        acks=config.required_acks,
        timeout_ms=int(config.request_timeout_ms),
        topic_data=[topic_data(name=name, partition_data=data) for name, data in topics.items()],
        max_version=max_version,
    )


def answers(response: Any) -> Iterator[Answer]:
    """Yield what a ProduceResponse says of each partition."""
    for topic in response.responses:
        for each in topic.partition_responses:
            code, message = each.error_code, each.error_message
            error = kafka_errors.for_code(code)(*filter(None, [message])) if code else None
            target = TopicPartition(topic.name, each.index)
            yield Answer(target, error, code, each.base_offset, each.log_append_time_ms)
