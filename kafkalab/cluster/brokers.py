"""What the brokers say: metadata asked of each one by itself, topics made and deleted, offsets.

Rules
- "Running" brokers are asked, never dead or frozen ones; who runs is known from outside, not by trying.
- A change counts as done when every running broker shows it, so that no client can meet a stale answer next.
- Questions about one partition are answered by the broker with the newest leader epoch, because a broker
  that was frozen wakes up with old metadata.

Left out: reading records (reading.py), bringing nodes back (healing.py).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import kafka.errors
from kafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteTopicsRequest,
    DescribeLogDirsRequest,
)
from kafka.protocol.consumer import ListOffsetsRequest
from kafka.protocol.metadata import MetadataRequest

from kafkalab.cluster.errors import ClusterError, UnreachableError
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.wire import PLAINTEXT, TIMEOUT_S, Address, Connection, Security, call, check

NOT_YET = (OSError, kafka.errors.RetriableError)
GONE = (kafka.errors.UnknownTopicOrPartitionError.errno, kafka.errors.UnknownTopicIdError.errno)
READ_UNCOMMITTED, READ_COMMITTED = 0, 1
EARLIEST, LATEST = -2, -1
CONSUMER, DEBUGGER = -1, -2
ADMIN_TIMEOUT_MS = 15_000
ADMIN_TIMEOUT_S = 20.0
"""Longer than the broker's own, so that no order is given twice because its answer is late."""
SETTLE_S = 30.0


class Partition(NamedTuple):
    """One partition, as a broker's metadata shows it."""

    leader: int | None
    epoch: int
    replicas: list[int]
    isr: list[int]


class Topic(NamedTuple):
    """One topic, as a broker's metadata shows it."""

    topic_id: str
    partitions: dict[int, Partition]


class Offsets(NamedTuple):
    """The four offsets of a partition; each is the next one to come, `start` is the first still there."""

    start: int
    last_stable: int
    high_watermark: int
    log_end: int


class Brokers:
    """All brokers of one cluster, asked over the wire."""

    def __init__(
        self,
        addresses: Callable[[], Mapping[int, Address]],
        running: Callable[[], Sequence[int]],
        security: Security = PLAINTEXT,
        evidence: Callable[[], str] = str,
    ) -> None:
        """Take what differs between clusters.

        `running` names the brokers worth asking as of now; `evidence` adds log tails to errors.
        """
        self.addresses = addresses
        self.running = running
        self.security = security
        self.evidence = evidence

    def ask(self, node_id: int, request: Any, timeout: float = TIMEOUT_S) -> Any:
        """Ask one broker. Raises OSError when it does not answer in time (seconds)."""
        return call(self.addresses()[node_id], request, self.security, timeout)

    def order(self, make: Callable[[], Any]) -> Any:
        """Give an order for the controller to a running broker; make() gives a fresh request for each try."""
        failures = []
        for node in self.running():
            try:
                return self.ask(node, make(), ADMIN_TIMEOUT_S)
            except OSError as error:
                failures.append(f"broker {node}: {error!r}")
        raise UnreachableError(
            f"No broker answers ({'; '.join(failures) or 'none is running'}). heal() helps."
        )

    def metadata(self, node_id: int, topics: Sequence[str] | None = None) -> Any:
        """Return one broker's Metadata response, for all topics or those named."""
        asked = None if topics is None else [_metadata_topic(name) for name in topics]
        return self.ask(node_id, MetadataRequest(topics=asked, allow_auto_topic_creation=False, version=12))

    def members(self, node_id: int) -> list[int]:
        """Return the ids of the brokers that this one sees."""
        return sorted(broker.node_id for broker in self.metadata(node_id, []).brokers)

    def topics(self, node_id: int, names: Sequence[str] | None = None) -> dict[str, Topic]:
        """Return the topics as this broker sees them; unknown ones are left out."""
        found = self.metadata(node_id, names).topics
        return {topic.name: _topic(topic) for topic in found if topic.error_code == 0}

    def everywhere(self, names: Sequence[str] | None = None) -> dict[int, dict[str, Topic]]:
        """Return every running broker's view of the topics."""
        return {node: self.topics(node, names) for node in self.running()}

    def partition(self, topic: str, partition: int) -> Partition:
        """Return the newest view of one partition. Raises ClusterError when no running broker knows it."""
        known = self.views(topic, partition)
        if not known:
            raise ClusterError(
                f"Partition {partition} of topic {topic!r} is unknown to brokers {list(self.running())}. "
                f"Create it first: create_topic({topic!r}, partitions={partition + 1})."
            )
        return max(known, key=lambda seen: seen.epoch)

    def views(self, topic: str, partition: int) -> list[Partition]:
        """Return the partition as each running broker that knows it sees it."""
        views = [view[topic] for view in self.everywhere([topic]).values() if topic in view]
        return [view.partitions[partition] for view in views if partition in view.partitions]

    def partition_numbers(self, topic: str) -> list[int]:
        """Return the numbers of the topic's partitions. Raises ClusterError when nobody knows the topic."""
        self.partition(topic, 0)
        return sorted({n for view in self.everywhere([topic]).values() for n in view[topic].partitions})

    def create_topic(
        self, name: str, assignment: Mapping[int, Sequence[int]] | tuple[int, int], config: Mapping[str, str]
    ) -> None:
        """Create and wait until every running broker shows it with leaders.

        `assignment` is partition -> replicas, or (partitions, replication factor) to let Kafka choose.
        Raises kafka.errors.TopicAlreadyExistsError and its relatives.
        """

        def request() -> Any:
            topic = _creatable(name, assignment, config)
            return CreateTopicsRequest(topics=[topic], timeout_ms=ADMIN_TIMEOUT_MS, version=7)

        (answer,) = self.order(request).topics
        check(answer.error_code, f"Creating topic {name!r}", answer.error_message)
        self.await_topic(name, str(answer.topic_id))

    def add_partitions(self, name: str, count: int) -> None:
        """Let the topic have `count` partitions, and wait until every running broker shows them."""

        def request() -> Any:
            topic = CreatePartitionsRequest.CreatePartitionsTopic(name=name, count=count)
            return CreatePartitionsRequest(topics=[topic], timeout_ms=ADMIN_TIMEOUT_MS, version=3)

        (answer,) = self.order(request).results
        check(answer.error_code, f"Giving topic {name!r} {count} partitions", answer.error_message)
        self.wait(
            f"every broker shows {count} partitions of {name!r}",
            lambda: self.everywhere([name]),
            lambda views: all(
                name in view and len(view[name].partitions) == count for view in views.values()
            ),
        )
        for number in range(count):
            self.offsets(name, number)

    def stored(self, name: str) -> dict[int, int]:
        """Return how many bytes of the topic each running broker has on its disk."""
        numbers = list(self.partition_numbers(name))
        sizes = {}
        for node in self.running():
            topic = DescribeLogDirsRequest.DescribableLogDirTopic(topic=name, partitions=numbers)
            answer = self.ask(node, DescribeLogDirsRequest(topics=[topic], version=4))
            logs = [log for directory in answer.results for log in directory.topics]
            sizes[node] = sum(each.partition_size for log in logs for each in log.partitions)
        return sizes

    def await_topic(self, name: str, topic_id: str) -> None:
        """Wait until every running broker shows this very topic, each partition with a leader."""
        self.wait(
            f"every broker shows topic {name!r} with its leaders",
            lambda: self.everywhere([name]),
            lambda views: all(name in view and _is_led(view[name], topic_id) for view in views.values()),
        )
        # A broker shows a topic a moment before it has made its own replicas leaders.
        for number in self.partition_numbers(name):
            self.offsets(name, number)

    def delete_topic(self, name: str) -> None:
        """Delete if it exists and wait until no running broker shows it."""

        def request() -> Any:
            state = DeleteTopicsRequest.DeleteTopicState(name=name)
            return DeleteTopicsRequest(topics=[state], timeout_ms=ADMIN_TIMEOUT_MS, version=6)

        (answer,) = self.order(request).responses
        if answer.error_code not in GONE:
            check(answer.error_code, f"Deleting topic {name!r}", answer.error_message)
        self.wait(
            f"no broker shows topic {name!r} any more",
            lambda: self.everywhere([name]),
            lambda views: not any(name in view for view in views.values()),
        )

    def offsets(self, topic: str, partition: int) -> Offsets:
        """Ask the partition's leader for all four offsets, once there is one that serves it.

        A record that is written meanwhile may show in a later offset and not in an earlier one.
        """
        found: Offsets = self.wait(
            f"partition {partition} of {topic!r} is served",
            lambda: self._offsets(self.await_leader(topic, partition), topic, partition),
            lambda _: True,
        )
        return found

    def await_leader(self, topic: str, partition: int) -> int:
        """Return the leader once it is a running broker: right after a fault that takes seconds."""
        leader: int = self.wait(
            f"partition {partition} of {topic!r} has a running leader",
            lambda: self.partition(topic, partition).leader,
            lambda leader: leader is not None and leader in self.running(),
        )
        return leader

    def wait(
        self, what: str, look: Callable[[], Any], holds: Callable[[Any], bool], timeout: float = SETTLE_S
    ) -> Any:
        """Wait as polling.wait_until() does, log tails as evidence."""
        return wait_until(what, look, holds, timeout, self.evidence, NOT_YET)

    def _offsets(self, leader: int, topic: str, partition: int) -> Offsets:
        with Connection(self.addresses()[leader], self.security) as connection:

            def ask(timestamp: int, isolation: int, replica: int) -> int:
                request = _list_offsets(topic, partition, timestamp, isolation, replica)
                answer = connection.call(request).topics[0].partitions[0]
                check(answer.error_code, f"Offsets of {topic!r} partition {partition} at broker {leader}")
                return int(answer.offset)

            return Offsets(
                start=ask(EARLIEST, READ_UNCOMMITTED, CONSUMER),
                last_stable=ask(LATEST, READ_COMMITTED, CONSUMER),
                high_watermark=ask(LATEST, READ_UNCOMMITTED, CONSUMER),
                # Consumers are told the high watermark; only replicas and debuggers learn the log's end.
                log_end=ask(LATEST, READ_UNCOMMITTED, DEBUGGER),
            )


def _metadata_topic(name: str) -> Any:
    return MetadataRequest.MetadataRequestTopic(name=name)


def _topic(topic: Any) -> Topic:
    partitions = {
        p.partition_index: Partition(
            leader=p.leader_id if p.leader_id >= 0 else None,
            epoch=p.leader_epoch,
            replicas=list(p.replica_nodes),
            isr=sorted(p.isr_nodes),
        )
        for p in topic.partitions
    }
    return Topic(str(topic.topic_id), partitions)


def _is_led(topic: Topic, topic_id: str) -> bool:
    return topic.topic_id == topic_id and all(p.leader is not None for p in topic.partitions.values())


def _creatable(
    name: str, assignment: Mapping[int, Sequence[int]] | tuple[int, int], config: Mapping[str, str]
) -> Any:
    kind = CreateTopicsRequest.CreatableTopic
    configs = [kind.CreatableTopicConfig(name=key, value=value) for key, value in config.items()]
    if isinstance(assignment, tuple):
        partitions, factor = assignment
        return kind(
            name=name, num_partitions=partitions, replication_factor=factor, assignments=[], configs=configs
        )
    replicas = [
        kind.CreatableReplicaAssignment(partition_index=index, broker_ids=list(brokers))
        for index, brokers in assignment.items()
    ]
    return kind(name=name, num_partitions=-1, replication_factor=-1, assignments=replicas, configs=configs)


def _list_offsets(topic: str, partition: int, timestamp: int, isolation: int, replica: int) -> Any:
    asked = ListOffsetsRequest.ListOffsetsTopic
    one = asked.ListOffsetsPartition(partition_index=partition, current_leader_epoch=-1, timestamp=timestamp)
    topics = [asked(name=topic, partitions=[one])]
    return ListOffsetsRequest(replica_id=replica, isolation_level=isolation, topics=topics, version=7)
