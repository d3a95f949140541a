"""Chapter 02: a serializer whose bytes are the same for equal objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer

ORDERS: tuple[tuple[dict[str, Any] | None, bytes | None], ...] = (
    ({"city": "Oslo", "amount": 3}, b'{"amount":3,"city":"Oslo"}'),
    ({"amount": 3, "city": "Oslo"}, b'{"amount":3,"city":"Oslo"}'),
    ({"city": "K\u00f8benhavn"}, '{"city":"K\u00f8benhavn"}'.encode()),
    ({}, b"{}"),
    (None, None),  # not for the serializer to see
)


class OrderSerializer:
    """Turn a dict into canonical JSON: keys sorted, nothing that is not needed, UTF-8."""

    def serialize(self, topic: str, data: dict[str, Any]) -> bytes:
        """Return the bytes of `data`."""
        return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def check(answer: Any, bench: Bench) -> Result:
    """Send orders through a real producer with the learner's serializer, then compare the log's bytes."""
    topic = bench.topic("serializer", partitions=1)
    servers = bench.cluster.bootstrap_servers
    with Producer(bootstrap_servers=servers, value_serializer=answer.serialize) as producer:
        for order, _ in ORDERS:
            try:
                producer.send(topic, order)
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises is the finding
                return Result(
                    "wrong", f"send() could not serialize this order. {error!r}", f"order {order!r}"
                )
    return judge(bench.cluster.read(topic))


def judge(records: Sequence[Any]) -> Result:
    """Return the result for the records of the log."""
    for record, (order, expected) in zip(records, ORDERS, strict=False):
        if record.value != expected:
            return Result("wrong", _difference(record.value, expected), _where(record, order, expected))
    if len(records) != len(ORDERS):
        return Result("wrong", f"Of {len(ORDERS)} records sent, {len(records)} are in the log.")
    return Result("correct", "The log holds exactly the expected bytes; equal orders have equal bytes.")


def _difference(value: bytes | None, expected: bytes | None) -> str:
    if value is None:
        return "The log holds a null value, which means 'deleted' in a compacted topic."
    if expected is None:
        return "This record was sent without a value; the log holds one."
    pairs = zip(value, expected, strict=False)
    at = next((n for n, (got, wanted) in enumerate(pairs) if got != wanted), min(len(value), len(expected)))
    here, wanted = value[at : at + 8], expected[at : at + 8]
    return f"Stored and expected bytes differ from byte {at} on: {here!r}, not {wanted!r}."


def _where(record: Any, order: dict[str, Any] | None, expected: bytes | None) -> str:
    return f"offset {record.offset}: order {order!r}\n  stored   {record.value!r}\n  expected {expected!r}"


class PythonText:
    """Wrong: Python's notation is not JSON."""

    def serialize(self, topic: str, data: dict[str, Any]) -> bytes:
        """Return the repr."""
        return str(data).encode()


class AsGiven:
    """Wrong: the order of the keys shows."""

    def serialize(self, topic: str, data: dict[str, Any]) -> bytes:
        """Keep the order of the keys."""
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


class Spacious:
    """Wrong: spaces after commas and colons."""

    def serialize(self, topic: str, data: dict[str, Any]) -> bytes:
        """Use json's default separators."""
        return json.dumps(data, sort_keys=True, ensure_ascii=False).encode()


class Escaped:
    """Wrong: JSON in UTF-8 needs no escapes."""

    def serialize(self, topic: str, data: dict[str, Any]) -> bytes:
        """Escape what is not ASCII."""
        return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


class Text:
    """Wrong: brokers store bytes."""

    def serialize(self, topic: str, data: dict[str, Any]) -> str:
        """Return a str."""
        return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


EXERCISE = Exercise(
    chapter="02",
    name="serializer",
    prompt=(
        "Brokers compare bytes, not objects: equal orders must become equal bytes. Write "
        "serialize(topic, data) for dicts: JSON in UTF-8, keys sorted, no spaces, no \\u escapes."
    ),
    hints=(
        ("json.dumps has an argument for each of the three: look at sort_keys, separators and ensure_ascii."),
        (
            "separators=(',', ':') leaves the spaces out, ensure_ascii=False the escapes; "
            ".encode() makes it bytes."
        ),
    ),
    method="serialize",
    solution=OrderSerializer,
    check=check,
    wrong={
        "repr instead of JSON": PythonText,
        "keys as given": AsGiven,
        "with spaces": Spacious,
        "escaped": Escaped,
        "str instead of bytes": Text,
    },
)
