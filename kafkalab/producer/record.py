"""What goes in and what comes out: ProducerRecord and RecordMetadata.

A record is five things of the application's (topic, value, key, headers, timestamp) and one
of Kafka's (partition). Its field order is that of `Producer.send`, so `producer.send(*record)`
sends it.

Leaves out: bytes. How a record is laid out on the wire is in record_batch.py.
"""

import re
import time
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

Header: TypeAlias = tuple[str, bytes | None]
"""A header's name and its value; names may repeat, order is kept (KIP-82)."""

_LATEST = 2**63 - 1  # a timestamp is a signed 64-bit number
_LEGAL_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class ProducerRecord(NamedTuple):
    """One record, as the application means it (Java: `ProducerRecord`).

    `key` and `value` may be anything the producer's serializers accept. `partition` None leaves
    the choice to the partitioner; `timestamp_ms` None means "now", in ms since 1970 (CreateTime).
    """

    topic: str
    value: Any = None
    key: Any = None
    partition: int | None = None
    headers: Sequence[Header] = ()
    timestamp_ms: int | None = None


class RecordMetadata(NamedTuple):
    """Where an acknowledged record is (Java: `RecordMetadata`).

    `offset` is None when nobody told: with acks=0 the broker never answers. `timestamp_ms` is the
    record's own, or the broker's when the topic has message.timestamp.type=LogAppendTime.
    """

    topic: str
    partition: int
    offset: int | None
    timestamp_ms: int


def check_record(topic: object, partition: object, headers: object, timestamp_ms: object) -> Sequence[Header]:
    """Refuse what no broker could store, before anything is buffered; return the headers, copied.

    Raises TypeError or ValueError naming the field, the value and what is allowed.
    """
    check_topic(topic)
    if partition is not None:
        _check_natural("partition", partition, "a number from 0, or None to let the partitioner choose")
    if timestamp_ms is not None:
        allowed = "milliseconds since 1970, or None for now"
        number = _check_natural("timestamp_ms", timestamp_ms, allowed)
        if number > _LATEST:
            raise ValueError(f"timestamp_ms={number} is later than Kafka can say ({_LATEST}): give {allowed}")
        if 0.5 < number / time.time() < 2:
            hint = f"timestamp_ms={number} looks like seconds: Kafka wants milliseconds"
            warnings.warn(hint, stacklevel=3)
    return _checked_headers(headers) if headers else ()


def check_topic(topic: object) -> None:
    """Apply Kafka's rule for topic names (Java: `Topic.validate`)."""
    if not isinstance(topic, str):
        raise TypeError(f"topic must be a str, got {topic!r} ({type(topic).__name__})")
    if not _is_legal(topic):
        legal = "1 to 249 of the characters a-z A-Z 0-9 . _ - (but not '.' or '..' alone)"
        raise ValueError(f"topic {topic!r} is not a legal name: use {legal}")


@lru_cache(maxsize=1024)  # asked for every record
def _is_legal(topic: str) -> bool:
    return _LEGAL_TOPIC.fullmatch(topic) is not None and topic not in {".", ".."}


def _check_natural(name: str, value: object, allowed: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is a {type(value).__name__}: give {allowed}")
    if value < 0:
        raise ValueError(f"{name}={value} is negative: give {allowed}")
    return value


def _checked_headers(headers: object) -> Sequence[Header]:
    wanted = 'headers are a list of (str, bytes or None) pairs, such as [("trace", b"42")]'
    if not isinstance(headers, Sequence):
        raise TypeError(f"{wanted}; got a {type(headers).__name__}")
    for header in headers:
        match header:
            case (str(), bytes() | None):
                continue
        raise TypeError(f"{wanted}; got {header!r}")
    return tuple((name, value) for name, value in headers)  # the caller's list may change
