"""The producer's own errors; what a broker answers is raised as the class in `kafka.errors`.

Every error is a `KafkaError`, and also the built-in that fits, so that code which knows nothing of
Kafka can catch it.
"""

from kafka.errors import (
    IllegalStateError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
)


class ConfigError(KafkaConfigurationError, ValueError):
    """A setting is unknown, out of range or in conflict with another (Java: `ConfigException`)."""


class AuthenticationError(KafkaError, PermissionError):
    """Broker and producer do not accept each other, and no retry will change that.

    A wrong password, a certificate nobody vouches for, TLS on one side only (Java:
    `AuthenticationException` with its subclasses).
    """


class ProducerClosedError(IllegalStateError, RuntimeError):
    """The producer was closed before the record could be sent (Java: `IllegalStateException`)."""


class UnknownPartitionError(KafkaError, ValueError):
    """The topic has no such partition, and a fresh look at the metadata did not change that."""


class MetadataTimeoutError(KafkaTimeoutError):
    """Nothing was learned of the topic within max_block_ms (Java: `TimeoutException`)."""


class BufferExhaustedError(KafkaTimeoutError):
    """buffer_memory was full for max_block_ms (Java: `BufferExhaustedException`)."""


class RecordTooLargeError(MessageSizeTooLargeError, ValueError):
    """The record alone exceeds max_request_size or buffer_memory (Java: `RecordTooLargeException`)."""


class DeliveryTimeoutError(KafkaTimeoutError):
    """delivery_timeout_ms passed without an acknowledgement: the record may or may not be stored."""
