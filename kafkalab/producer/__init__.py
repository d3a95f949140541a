"""The lesson: a Kafka producer written to be read. It imports nothing else of kafkalab.

Where to start: producer.py (the four steps of send), accumulator.py (where records wait), sender.py
(the I/O thread). record_batch.py is the bytes; network_client.py, connection.py and metadata.py are
how they travel.
"""

from kafkalab.producer.accumulator import RecordAccumulator
from kafkalab.producer.batch import ProducerBatch
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import (
    AuthenticationError,
    BufferExhaustedError,
    ConfigError,
    DeliveryTimeoutError,
    MetadataTimeoutError,
    ProducerClosedError,
    ProducerForkedError,
    RecordTooLargeError,
    TransactionStateError,
    UnknownPartitionError,
)
from kafkalab.producer.futures import DeliveryFuture
from kafkalab.producer.interceptors import ProducerInterceptor
from kafkalab.producer.partitioners import (
    DefaultPartitioner,
    Partitioner,
    Partitions,
    RoundRobinPartitioner,
    murmur2,
)
from kafkalab.producer.producer import Producer
from kafkalab.producer.record import ProducerRecord, RecordMetadata, TopicPartition
from kafkalab.producer.sender import Sender
from kafkalab.producer.serializers import bytes_serializer, json_serializer, string_serializer
from kafkalab.producer.tracing import Event, Trace

# What is used, what takes part in a send, what may go wrong, and what is looked at.
__all__ = ["DeliveryFuture", "Producer", "ProducerConfig", "ProducerRecord", "RecordMetadata"]
__all__ += ["DefaultPartitioner", "Partitioner", "Partitions", "RoundRobinPartitioner", "murmur2"]
__all__ += ["ProducerInterceptor", "bytes_serializer", "json_serializer", "string_serializer"]
__all__ += ["AuthenticationError", "BufferExhaustedError", "ConfigError", "DeliveryTimeoutError"]
__all__ += ["MetadataTimeoutError", "ProducerClosedError", "ProducerForkedError", "RecordTooLargeError"]
__all__ += ["TransactionStateError", "UnknownPartitionError"]
__all__ += ["Event", "ProducerBatch", "RecordAccumulator", "Sender", "TopicPartition", "Trace"]
