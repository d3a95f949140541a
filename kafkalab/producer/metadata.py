"""Who leads what: the producer's picture of the cluster (Java: `ProducerMetadata`, `MetadataCache`).

The picture is an immutable `Snapshot`, replaced as a whole, so reading it needs no lock. It is asked
for when a topic is first used, when an answer says it is wrong, and every metadata_max_age_ms.

Rules: send() waits here for a topic it has not seen, within max_block_ms; a topic that does not exist
may be created by the broker while we wait (auto.create.topics.enable), so that is no error by itself;
a topic unused for five minutes is no longer asked for.

Leaves out: fetching. The sender does that, with `request()` and `update()`.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self, cast

from kafka import errors as kafka_errors
from kafka.protocol.metadata import MetadataRequest

from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import (
    AuthenticationError,
    MetadataTimeoutError,
    ProducerClosedError,
    UnknownPartitionError,
)
from kafkalab.producer.partitioners import Partitions
from kafkalab.producer.record import TopicPartition

TOPIC_IDLE_S = 300.0
MAX_VERSION = 12
_HOPELESS = (kafka_errors.TopicAuthorizationFailedError, kafka_errors.InvalidTopicError)


class Snapshot(NamedTuple):
    """The cluster as last told: addresses by node id, partitions by topic, leaders by partition."""

    brokers: Mapping[int, tuple[str, int]] = MappingProxyType({})
    topics: Mapping[str, Partitions] = MappingProxyType({})
    leaders: Mapping[TopicPartition, int] = MappingProxyType({})
    errors: Mapping[str, BaseException] = MappingProxyType({})

    @classmethod
    def of(cls, response: Any) -> Self:
        """Read a Metadata response; a topic with an error is left out and its error kept."""
        leaders: dict[TopicPartition, int] = {}
        topics: dict[str, Partitions] = {}
        errors: dict[str, BaseException] = {}
        for topic in response.topics:
            name, count = topic.name, len(topic.partitions)
            if topic.error_code:
                errors[name] = kafka_errors.for_code(topic.error_code)()
                continue
            led = {p.partition_index: p.leader_id for p in topic.partitions if p.leader_id >= 0}
            leaders |= {TopicPartition(name, partition): leader for partition, leader in led.items()}
            topics[name] = Partitions(range(count), available=sorted(led), topic=name)
        brokers = {broker.node_id: (broker.host, broker.port) for broker in response.brokers}
        return cls(brokers, topics, leaders, errors)

    def by_leader(
        self, ready: Iterable[TopicPartition], waiting: Iterable[TopicPartition]
    ) -> dict[int, list[TopicPartition]]:
        """Return, for each broker that leads a `ready` partition, all the `waiting` partitions it leads.

        Brokers come in the order of `waiting`, not of a set, so that the same run does the same again.
        """
        wanted = {self.leaders[target] for target in ready if target in self.leaders}
        nodes: dict[int, list[TopicPartition]] = {}
        for target in waiting:
            if (node := self.leaders.get(target)) in wanted:
                nodes.setdefault(node, []).append(target)
        return nodes


class Metadata:
    """The current snapshot, and the wish for a newer one."""

    def __init__(self, config: ProducerConfig) -> None:
        self.snapshot = Snapshot()
        self.topics: Mapping[str, Partitions] = {}
        """The snapshot's topics: what send() looks up first, for every record."""
        self.wakeup: Callable[[], object] = lambda: None  # the sender puts its own here
        self.trouble: BaseException | None = None  # why the sender cannot ask, if it cannot
        self._max_age = config.metadata_max_age_ms / 1000
        self._backoff = ExponentialBackoff(config.retry_backoff_ms, config.retry_backoff_max_ms)
        self._changed = threading.Condition()
        self._used: dict[str, float] = {}
        self._updates = 0
        self._refusals = 0
        self._failures = 0
        self._wanted = True
        self._asked_at = float("-inf")
        self._not_before = 0.0
        self._closed = False

    # --- the application's side -------------------------------------------------------------------

    def partitions(self, topic: str, deadline: float, *, partition: int | None = None) -> Partitions:
        """Return the topic's partitions, waiting until `deadline` for a topic never seen.

        Raises MetadataTimeoutError; AuthenticationError when a broker refused us meanwhile;
        UnknownPartitionError when the topic has no `partition`, after one look at fresh metadata; the
        broker's error when the topic may not be used at all.
        """
        self.use(topic, time.monotonic())
        while (known := self.snapshot.topics.get(topic)) is None:
            self._await(lambda: topic in self.snapshot.topics or self._hopeless(topic), topic, deadline)
            if error := self._hopeless(topic):
                raise error
        if partition is not None and partition >= len(known):
            seen = self._updates
            self._await(lambda: self._updates > seen and topic in self.snapshot.topics, topic, deadline)
            known = self.snapshot.topics.get(topic, known)
            if partition >= len(known):
                count = f"it has {len(known)}, numbered from 0"
                raise UnknownPartitionError(f"topic {topic!r} has no partition {partition}: {count}")
        return known

    def use(self, topic: str, now: float) -> None:
        """Note that the topic is still in use."""
        self._used[topic] = now

    def want_update(self) -> None:
        """Ask for fresh metadata at the next opportunity."""
        self._wanted = True

    def close(self) -> None:
        """Send everybody who waits away."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _await(self, condition: Callable[[], object], topic: str, deadline: float) -> None:
        with self._changed:
            self._wanted = True
            self._not_before = 0.0  # somebody is waiting: no back-off for the first look
            self.wakeup()
            before = self._refusals
            met = self._changed.wait_for(
                lambda: self._closed or self._refusals > before or condition(), deadline - time.monotonic()
            )
        if self._refusals > before and not condition():
            raise cast("AuthenticationError", self.trouble)
        if self._closed:
            raise ProducerClosedError("the producer was closed while this record waited for metadata")
        if not met:
            reason = self.snapshot.errors.get(topic) or self.trouble or "no broker answered"
            raise MetadataTimeoutError(f"topic {topic!r} still unknown after max_block_ms: {reason}")

    def _hopeless(self, topic: str) -> BaseException | None:
        error = self.snapshot.errors.get(topic)
        return error if isinstance(error, _HOPELESS) else None

    # --- the sender's side ------------------------------------------------------------------------

    def due(self, now: float) -> float:
        """Return the seconds until metadata should be asked for; 0 means now."""
        at = self._not_before if self._wanted else self._asked_at + self._max_age
        return max(at - now, 0.0)

    def request(self, now: float) -> MetadataRequest:
        """Return the request to send, and note that it was asked for now."""
        for topic, last_use in list(self._used.items()):
            if now - last_use > TOPIC_IDLE_S:
                del self._used[topic]
        self._asked_at = now
        self._not_before = now + self._backoff.seconds(max(self._failures, 1))
        self._wanted = False
        topics = [MetadataRequest.MetadataRequestTopic(name=topic) for topic in sorted(self._used)]
        return MetadataRequest(topics=topics, allow_auto_topic_creation=True, max_version=MAX_VERSION)

    def update(self, response: Any) -> None:
        """Take a response as the new picture."""
        snapshot = Snapshot.of(response)
        if not snapshot.brokers:
            self.failed()
            return
        leaderless = any(len(each.available) < len(each) for each in snapshot.topics.values())
        with self._changed:
            self.snapshot, self.topics = snapshot, snapshot.topics
            self._updates += 1
            self._failures = self._failures + 1 if snapshot.errors or leaderless else 0
            self._wanted |= leaderless or any(topic not in snapshot.topics for topic in list(self._used))
            self._changed.notify_all()

    def refuse(self, error: AuthenticationError) -> None:
        """Send everybody who waits away with `error`, and ask no more until somebody wants to know again.

        Java: `ProducerMetadata.fatalError`, but that goes on dialling.
        """
        with self._changed:
            self.trouble = error
            self._refusals += 1
            self._wanted, self._asked_at = False, time.monotonic()
            self._changed.notify_all()

    def failed(self) -> None:
        """Note that the request was not answered."""
        self._failures += 1
        self._wanted = True
