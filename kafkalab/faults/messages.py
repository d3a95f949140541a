"""Kafka's messages by API key, and where a message begins inside its frame.

Rules
- Messages are kafka-python's `kafka.protocol`, made from Kafka's own schemas. What it does not know (the APIs
  of share groups, versions of a later Kafka) has no entry here: such frames pass as they are.
- A frame is its size (4 bytes), a header, a body. Headers are read here by hand: `decode(header=True)` would
  copy the whole frame.
"""

import struct
from types import ModuleType
from typing import Any

import kafka.protocol.admin
import kafka.protocol.consumer
import kafka.protocol.metadata
import kafka.protocol.producer
import kafka.protocol.sasl
from kafka.protocol.api_key import ApiKey
from kafka.protocol.api_message import ApiMessage

PRODUCE, FETCH, METADATA = ApiKey.Produce.value, ApiKey.Fetch.value, ApiKey.Metadata.value
FIND_COORDINATOR, API_VERSIONS = ApiKey.FindCoordinator.value, ApiKey.ApiVersions.value
DESCRIBE_CLUSTER = ApiKey.DescribeCluster.value

MODULES: tuple[ModuleType, ...] = (
    kafka.protocol.admin,
    kafka.protocol.consumer,
    kafka.protocol.metadata,
    kafka.protocol.producer,
    kafka.protocol.sasl,
)


def _messages(kind: str) -> dict[int, Any]:
    found = [value for module in MODULES for value in vars(module).values() if isinstance(value, type)]
    return {
        each.API_KEY: each
        for each in found
        if issubclass(each, ApiMessage) and each is not ApiMessage and each.type == kind
    }


REQUESTS = _messages("request")
RESPONSES = _messages("response")

SIZE = struct.Struct(">i")
REQUEST_HEAD = struct.Struct(">ihhi")
"""Size, API key, version, correlation id; the client id follows."""
RESPONSE_HEAD = struct.Struct(">ii")
"""Size, correlation id."""
SHORT = struct.Struct(">h")
LARGEST = 1 << 28  # a TLS handshake, read as a size, is larger


def is_flexible(key: int, version: int) -> bool:
    """Tell whether this version's header carries tagged fields (KIP-482); False for what is unknown here."""
    return key in REQUESTS and bool(REQUESTS[key].flexible_version_q(version))


def decode(kinds: dict[int, Any], key: int, version: int, body: memoryview) -> Any | None:
    """Return the message, or None where this API or version is not known here."""
    kind = kinds.get(key)
    if kind is None or version > kind.max_version:
        return None
    return kind.decode(body, version=version)


def response_body_at(key: int, version: int, frame: bytes | bytearray) -> int:
    """Return where the body of a response frame begins. An ApiVersions header never has tags (KIP-511)."""
    if key != API_VERSIONS and is_flexible(key, version):
        return after_tags(frame, RESPONSE_HEAD.size)
    return RESPONSE_HEAD.size


def after_tags(frame: bytes | bytearray | memoryview, at: int) -> int:
    """Return the place behind a section of tagged fields."""
    count, at = uvarint(frame, at)
    for _ in range(count):
        _, at = uvarint(frame, at)
        size, at = uvarint(frame, at)
        at += size
    return at


def uvarint(data: bytes | bytearray | memoryview, at: int) -> tuple[int, int]:
    """Return an unsigned varint and the place behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
