"""What the fields of a Produce request, a record batch and a record mean, in a few plain words.

Leaves out: fields of other requests, for which Kafka's own description is shown.
"""

from __future__ import annotations

ATTRIBUTES = "attributes"
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

BATCH = {
    "base offset": "of the first record; the broker sets it",
    "batch length": "bytes that follow this field",
    "leader epoch": "the broker sets it",
    "magic": "the format: 2",
    "crc": "CRC-32C of all that follows",
    ATTRIBUTES: "",
    "last offset delta": "last offset minus base offset",
    "base timestamp": "ms since 1970, of the first record",
    "max timestamp": "the latest of all records",
    "producer id": "who wrote it; -1: not idempotent",
    "producer epoch": "which life of that producer",
    "base sequence": "the first record's number",
    "record count": "records that follow",
}

RECORD = {
    "length": "bytes of this record that follow",
    "attributes": "none are defined",
    "timestamp delta": "ms after the base timestamp",
    "offset delta": "offset minus base offset",
    "header count": "headers that follow",
}

REQUEST = {
    "request api key": "0: Produce",
    "request api version": "which layout follows",
    "correlation id": "the answer carries it, too",
    "client id": "for logs and quotas",
    "transactional id": "null without transactions",
    "acks": "-1: all in-sync replicas",
    "timeout ms": "how long the leader may wait",
    "name": "the topic",
    "topic id": "stands for the topic's name",
    "index": "the partition",
}


def attributes(bits: int) -> str:
    """Return what the attributes of a batch say."""
    codec = bits & 7
    known = codec < len(CODECS)
    said = ["no compression" if codec == 0 else CODECS[codec] if known else f"no codec has number {codec}"]
    said.append("log append time" if bits & 8 else "create time")
    said += ["transactional"] if bits & 16 else []
    said += ["control"] if bits & 32 else []
    return ", ".join(said)
