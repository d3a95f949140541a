"""Chapter 02: a partitioner that keeps the last partition for VIPs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafkalab.course.exercise import Bench, Exercise, Result
from kafkalab.producer import Producer, murmur2

PARTITIONS = 4
KEYS = (
    b"ann",
    b"vip-eve",
    b"bob",
    None,
    b"cid",
    b"vip-",
    b"dora",
    b"x-vip-y",
    None,
    b"vip-zoe",
    b"emil",
    b"",
)


class VipPartitioner:
    """Send keys that start with b"vip-" to the last partition, spread all others over the rest."""

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Sequence[int]) -> int:
        """Return the id of the record's partition."""
        *rest, last = partitions
        if key is not None and key.startswith(b"vip-"):
            return last
        return rest[(murmur2(key or b"") & 0x7FFFFFFF) % len(rest)]


def check(answer: Any, bench: Bench) -> Result:
    """Send every key twice through a real producer, then look where the records lie in the log."""
    topic = bench.topic("partitioner", partitions=PARTITIONS)
    with Producer(bootstrap_servers=bench.cluster.bootstrap_servers, partitioner=answer) as producer:
        for number, key in enumerate(KEYS * 2):
            try:
                producer.send(topic, b"record %d" % number, key=key)
            except Exception as error:  # noqa: BLE001 - whatever a learner's code raises is the finding
                return Result(
                    "wrong", f"Your partition() could not place this record. {error!r}", f"key {key!r}"
                )
    return judge(bench.cluster.read(topic))


def judge(records: Sequence[Any]) -> Result:
    """Return the result for the records of the log."""
    for record in records:
        if (message := _fault(record)) is not None:
            return Result("wrong", message, _where(record))
    if len(records) != 2 * len(KEYS):
        return Result("wrong", f"Of {2 * len(KEYS)} records sent, {len(records)} are in the log.")
    return Result(
        "correct", f"All {len(records)} records lie where they should; VIPs have partition 3 to themselves."
    )


def _fault(record: Any) -> str | None:
    last = PARTITIONS - 1
    if record.key is None:
        return "A record without a key is none of a VIP's." if record.partition == last else None
    expected = VipPartitioner().partition("", record.key, record.value, range(PARTITIONS))
    if record.partition == expected:
        return None
    if record.key.startswith(b"vip-"):
        return f"A VIP's record belongs into the last partition, {last}."
    if record.partition == last:
        return f"Partition {last} is for VIPs only."
    return f"murmur2 of this key, without its sign bit, over the other {last} partitions gives {expected}."


def _where(record: Any) -> str:
    return f"partition {record.partition}, offset {record.offset}: key {record.key!r}, value {record.value!r}"


class HashOverAll:
    """Wrong: others may get the VIPs' partition."""

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Sequence[int]) -> int:
        """Hash over all partitions."""
        if key and key.startswith(b"vip-"):
            return partitions[-1]
        return partitions[(murmur2(key or b"") & 0x7FFFFFFF) % len(partitions)]


class SignBit:
    """Wrong: Java drops the sign bit before it divides."""

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Sequence[int]) -> int:
        """Divide all 32 bits."""
        if key and key.startswith(b"vip-"):
            return partitions[-1]
        return partitions[murmur2(key or b"") % (len(partitions) - 1)]


class NoKeyNoCode:
    """Wrong: a record may have no key."""

    def partition(self, topic: str, key: bytes, value: bytes | None, partitions: Sequence[int]) -> int:
        """Take the key for granted."""
        return partitions[-1] if key.startswith(b"vip-") else partitions[0]


class OneTooFar:
    """Wrong: the last partition is not the number of partitions."""

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Sequence[int]) -> int:
        """Count from one."""
        return len(partitions) if key and key.startswith(b"vip-") else 0


class Anywhere:
    """Wrong: b"vip-" is a beginning, not a part."""

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Sequence[int]) -> int:
        """Look for vip- anywhere."""
        if key and b"vip-" in key:
            return partitions[-1]
        return partitions[(murmur2(key or b"") & 0x7FFFFFFF) % (len(partitions) - 1)]


EXERCISE = Exercise(
    chapter="02",
    name="partitioner",
    prompt=(
        'Keep the last partition for VIPs. Keys that start with b"vip-" go there and nothing else '
        "does; all other keys are spread over the remaining partitions as the default partitioner "
        "would do it: murmur2 without its sign bit, modulo their number. A record may have no key "
        "at all: any of the remaining partitions will do."
    ),
    hints=(
        (
            "key is bytes or None; partitions is a sequence of ids, so partitions[-1] is the last and "
            "partitions[:-1] are the others."
        ),
        ("For the others: rest[(murmur2(key) & 0x7FFFFFFF) % len(rest)]; treat a missing key as b''."),
    ),
    method="partition",
    solution=VipPartitioner,
    check=check,
    wrong={
        "hash over all partitions": HashOverAll,
        "sign bit kept": SignBit,
        "None has no startswith": NoKeyNoCode,
        "one partition too far": OneTooFar,
        "vip- anywhere": Anywhere,
    },
)
