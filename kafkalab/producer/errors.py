"""The producer's own errors, and what each error of a broker means.

What a broker answers is raised as the class in `kafka.errors`. Every error of ours is a `KafkaError`, and
also the built-in that fits, so that code which knows nothing of Kafka can catch it. Only what took too long
is no TimeoutError: that one says that an outcome is still open (`DeliveryFuture.result`).

`remedy` is the one table of what to do about an error; it sorts every code of the protocol as the Java
client's exception classes do (`RetriableException`, `InvalidMetadataException`, `ApiException`).
"""

from __future__ import annotations

from enum import Enum

from kafka import errors as kafka_errors
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


class ProducerForkedError(IllegalStateError, RuntimeError):
    """The process was forked: threads and connections stayed with the parent, so the child needs its own."""


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


class TransactionStateError(IllegalStateError, RuntimeError):
    """A transactional verb out of turn; the message names the state and the verbs it allows."""


class Remedy(Enum):
    """What is to be done about an error."""

    NONE = "nothing is wrong"
    RETRY = "try again"
    REFRESH = "try again, once the metadata is fresh"
    ABORT = "this request fails; a transaction has to be aborted, the producer goes on"
    FATAL = "this producer cannot go on"


_REMEDIES = {
    Remedy.RETRY: (2, 7, 14, 15, 16, 19, 20, 41, 51, 70, 71, 75, 78, 88, 89, 106, 122, 123, 133),
    Remedy.REFRESH: (3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 84, 100, 103),
    Remedy.FATAL: (31, 33, 34, 35, 43, 48, 50, 52, 53, 54, 58, 90),
}
REMEDIES = {code: kind for kind, codes in _REMEDIES.items() for code in codes} | {0: Remedy.NONE}
"""Error code -> remedy; codes that are not listed mean ABORT."""

_UNANSWERED = (kafka_errors.KafkaConnectionError, kafka_errors.KafkaTimeoutError)
_MAYBE_STORED = {-1, 3, 6, 7, 13, 20, 56}
"""Errors that may come after the append: while it waited for the followers, the leader ran out of time or of
replicas, or lost the partition or its disk (Kafka: `DelayedProduce.tryComplete`)."""


def remedy(error: BaseException) -> Remedy:
    """Return what is to be done about `error`; a lost connection is one that a refresh may help."""
    if isinstance(error, _UNANSWERED):
        return Remedy.REFRESH
    return REMEDIES.get(getattr(error, "errno", -1), Remedy.ABORT)


def maybe_stored(error: BaseException) -> bool:
    """Tell whether a batch that met `error` may be in the log all the same; any other answer rules it out."""
    return isinstance(error, _UNANSWERED) or getattr(error, "errno", -1) in _MAYBE_STORED
