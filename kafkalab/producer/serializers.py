"""From objects to bytes: Kafka stores bytes and nothing else.

A serializer is any callable `(topic, data) -> bytes | None`. It runs on the caller's thread, so
its errors are raised by send(). None stays None without asking it: a null value is a tombstone
in a compacted topic and must not turn into b"null".

Leaves out: schemas and registries; a serializer of yours can bring them.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

Serializer: TypeAlias = Callable[[str, Any], bytes | None]


def bytes_serializer(topic: str, data: Any) -> bytes:
    """Pass bytes through and refuse everything else (Java: `ByteArraySerializer`); the default."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(data)
    advice = "send bytes, or set one, such as Producer(value_serializer=string_serializer), or key_serializer"
    raise TypeError(f"no serializer for {type(data).__name__} {data!r} on topic {topic!r}: {advice}")


def string_serializer(topic: str, data: str) -> bytes:
    """Encode text as UTF-8 (Java: `StringSerializer`)."""
    if not isinstance(data, str):
        given = f"{type(data).__name__} {data!r} on topic {topic!r}"
        raise TypeError(f"string_serializer got {given}: give it a str")
    return data.encode()


def json_serializer(topic: str, data: Any) -> bytes:  # noqa: ARG001 - the topic is part of the interface
    """Encode data as compact JSON in UTF-8, keys in the order given."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def serialize(serializer: Serializer, topic: str, data: Any, what: str) -> bytes | None:
    """Turn `data` into bytes with `serializer`; `what` ("key" or "value") names it in errors.

    Raises whatever the serializer raises, and TypeError when it returns something else than bytes.
    """
    if data is None:
        return None
    if type(data) is bytes and serializer is bytes_serializer:
        return data
    encoded = serializer(topic, data)
    if encoded is None or isinstance(encoded, bytes):
        return encoded
    returned = f"{type(encoded).__name__} {encoded!r}: it must return bytes or None"
    raise TypeError(f"{what} serializer {serializer!r} returned {returned}")
