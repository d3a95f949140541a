"""The requests of a transaction, and what an application hands over to be put into them.

Generation 2 of the protocol (transaction.version 2, KIP-890) announces partitions and groups implicitly
with what is written; generation 1 does so explicitly, before, and must not use the newest versions.

Leaves out: FindCoordinator (coordinator.py), and when each is sent (transactions.py).
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, TypeAlias

from kafka.protocol.producer import AddPartitionsToTxnRequest, TxnOffsetCommitRequest
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from kafkalab.producer.record import TopicPartition

Identity: TypeAlias = dict[str, Any]
"""Who speaks: transactional_id, producer_id and producer_epoch, in all these requests."""
Offsets: TypeAlias = Mapping[Any, int | OffsetAndMetadata]
Group: TypeAlias = str | ConsumerGroupMetadata
NEWEST = {1: 4, 2: 5}
"""Generation -> the newest version of TxnOffsetCommit and EndTxn that it may use."""


class OffsetCommit:
    """Offsets on their way into the transaction; `left` are those not stored yet."""

    def __init__(self, offsets: Offsets, group: ConsumerGroupMetadata) -> None:
        self.group = group
        self.left = {target: as_offset(target, offset) for target, offset in offsets.items()}
        self.announced = False  # generation 1: whether AddOffsetsToTxn was done
        self.error: BaseException | None = None

    def settle(self, response: Any) -> None:
        """Take out what `response` says is stored."""
        for topic in response.topics:
            for answer in topic.partitions:
                if answer.error_code == 0:
                    self.left.pop((topic.name, answer.partition_index), None)


def as_group(group: Group) -> ConsumerGroupMetadata:
    """Return `group` as metadata; raises ValueError when there is no group id in it."""
    metadata = ConsumerGroupMetadata(group) if isinstance(group, str) else ConsumerGroupMetadata(*group[:4])
    if not isinstance(metadata.group_id, str) or not metadata.group_id:
        raise ValueError(f"{group!r} names no group: give its id, or consumer.group_metadata()")
    return metadata


def as_offset(target: Any, offset: int | OffsetAndMetadata) -> OffsetAndMetadata:
    """Return `offset` with metadata; raises ValueError unless it is 0 or more, and `target` a partition."""
    if not (isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], str)):
        raise ValueError(f"{target!r} is no partition: give a TopicPartition(topic, partition)")
    full = OffsetAndMetadata(offset) if isinstance(offset, int) else OffsetAndMetadata(*offset)
    if not isinstance(full.offset, int) or full.offset < 0:
        raise ValueError(f"offset {offset!r} of {target[0]}-{target[1]}: give the next to read, 0 or more")
    return full


def add_partitions(who: Identity, targets: Iterable[TopicPartition]) -> AddPartitionsToTxnRequest:
    """Announce partitions that the transaction is going to write to (generation 1)."""
    topic = AddPartitionsToTxnRequest.AddPartitionsToTxnTopic
    by_topic = groupby(sorted(targets), lambda each: each.topic)
    topics = [topic(name, [number for _, number in each]) for name, each in by_topic]
    older = {f"v3_and_below_{name}": each for name, each in {**who, "topics": topics}.items()}
    return AddPartitionsToTxnRequest(**older, max_version=3)


def commit_offsets(who: Identity, commit: OffsetCommit, generation: int) -> TxnOffsetCommitRequest:
    """Write offsets that become valid with the transaction; from version 5 on, that announces them, too."""
    topic = TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic
    partition = topic.TxnOffsetCommitRequestPartition
    topics = [
        topic(name, [partition(number, to.offset, to.leader_epoch, to.metadata) for (_, number), to in each])
        for name, each in groupby(sorted(commit.left.items()), lambda each: each[0][0])
    ]
    names = ("group_id", "generation_id", "member_id", "group_instance_id")
    member = dict(zip(names, commit.group, strict=False))
    return TxnOffsetCommitRequest(**who, **member, topics=topics, max_version=NEWEST[generation])
