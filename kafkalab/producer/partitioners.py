"""Which partition? The third step of send().

A partitioner has one method, `partition(topic, key, value, partitions) -> int`, called on the
caller's thread with serialized key and value, and only when the record names no partition itself.
`partitions` lists all the topic's partition ids; `partitions.available` those that have a leader.

Rules of the default one (KIP-480, KIP-794):
- a key always goes to `murmur2(key) % number of partitions`, whether or not that one is available:
  equal keys must stay together, and must agree with every Java client;
- without a key, stick to one partition for `batch_size` bytes, then move to a random other, so that
  batches fill up instead of every partition getting a crumb;
- where batches queue up (a slow broker leads there), move to less often.

Leaves out: racks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol, TypeAlias

from kafkalab.producer.record import TopicPartition

_M = 0x5BD1E995
_32_BITS = 0xFFFFFFFF


Appended: TypeAlias = Callable[[TopicPartition], int]
"""Tells how many bytes of batches a partition has got in all."""
Load: TypeAlias = Callable[[str], Mapping[int, int]]
"""Tells how many batches wait in each partition of a topic that has any."""


class Partitions(tuple[int, ...]):
    """All partition ids of a topic, from 0; `available` are those that have a leader now."""

    available: tuple[int, ...]
    targets: Mapping[int, TopicPartition]

    def __new__(
        cls, ids: Iterable[int], available: Iterable[int] | None = None, topic: str = ""
    ) -> Partitions:
        """Make it of all ids; `available` None means all of them."""
        self = super().__new__(cls, ids)
        self.available = tuple(self if available is None else available)
        self.targets = {number: TopicPartition(topic, number) for number in self}
        return self


class Partitioner(Protocol):
    """What `Producer(partitioner=...)` takes."""

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Partitions) -> int:
        """Return the id of the partition the record goes to, one of `partitions`."""


class DefaultPartitioner:
    """Hash the key, or stick to a partition for a batch (Java: `BuiltInPartitioner`).

    `sticky_bytes` is how much one partition gets before the next is drawn; the producer sets it to
    its batch_size. With `adaptive` (partitioner.adaptive.partitioning.enable) a partition with waiting
    batches is drawn less often. `seed` makes the draws repeatable.
    """

    def __init__(
        self,
        *,
        ignore_keys: bool = False,
        sticky_bytes: int = 16384,
        adaptive: bool = True,
        seed: int | None = None,
    ) -> None:
        self.ignore_keys = ignore_keys
        self.sticky_bytes = sticky_bytes
        self.adaptive = adaptive
        self._random = random.Random(seed)  # noqa: S311 - balance, not secrecy
        self._sticky: dict[str, int] = {}
        self._since: dict[str, int] = {}

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Partitions) -> int:
        """Return the key's partition, or the topic's current sticky one."""
        if key is not None and not self.ignore_keys:
            return partitions[(murmur2(key) & 0x7FFFFFFF) % len(partitions)]
        current = self._sticky.get(topic)
        if current is None or current >= len(partitions):
            current = self._sticky[topic] = self._draw(partitions, {})
        return current

    def on_new_batch(
        self, target: TopicPartition, size: int, partitions: Partitions, appended: Appended, load: Load
    ) -> TopicPartition:
        """Return where a record of `size` bytes without a key goes that needs a new batch.

        `target` was chosen for it, `appended` tells how much a partition has got so far. The batch before is
        complete, so this is the moment to move on, if the partition had its share.
        """
        topic, partition = target
        since = self._since.setdefault(topic, 0)
        if self._sticky.get(topic) != partition or appended(target) + size - since < self.sticky_bytes:
            return target
        self._sticky[topic] = self._draw(partitions, load(topic) if self.adaptive else {})
        moved = partitions.targets[self._sticky[topic]]
        self._since[topic] = appended(moved)
        return moved

    def _draw(self, partitions: Partitions, waiting: Mapping[int, int]) -> int:
        """Draw one at random, one with the longest queue with 1/(n+1) of the chance of an empty one."""
        most = 1 + max(waiting.values(), default=0)
        while True:
            drawn = self._random.choice(partitions.available or partitions)
            if self._random.random() * most < most - waiting.get(drawn, 0):
                return drawn


class RoundRobinPartitioner:
    """One record each in turn, keys ignored (Java: `RoundRobinPartitioner`).

    What many believe the default to be. Fair in records, bad for batching.
    """

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def partition(self, topic: str, key: bytes | None, value: bytes | None, partitions: Partitions) -> int:
        """Return the next available partition."""
        turn = self._next.get(topic, 0)
        self._next[topic] = turn + 1
        choices = partitions.available or partitions
        return choices[turn % len(choices)]


@lru_cache(maxsize=8192)  # keys repeat; a hash in pure Python costs microseconds
def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of `data`, unsigned (Java: `Utils.murmur2`, seed 0x9747b28c)."""
    h = 0x9747B28C ^ len(data)
    tail = len(data) & ~3
    for i in range(0, tail, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _32_BITS
        k = (k ^ k >> 24) * _M & _32_BITS
        h = (h * _M ^ k) & _32_BITS
    if tail < len(data):
        h = (h ^ int.from_bytes(data[tail:], "little")) * _M & _32_BITS
    h = (h ^ h >> 13) * _M & _32_BITS
    return h ^ h >> 15
