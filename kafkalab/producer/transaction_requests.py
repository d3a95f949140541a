"""The requests of a transaction, and what an application hands over to be put into them.

Generation 2 of the protocol (transaction.version 2, KIP-890) announces partitions and groups implicitly
with what is written; generation 1 does so explicitly, before, and must not use the newest versions.

Leaves out: FindCoordinator (coordinator.py), and when each is sent (transactions.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kafka.protocol.producer import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from kafkalab.producer.record import TopicPartition


class Identity(NamedTuple):
    """Who speaks: the first three fields of all these requests."""

    transactional_id: str
    producer_id: int
    producer_epoch: int


class OffsetCommit:
    """Offsets on their way into the transaction; `left` are those not stored yet."""

    def __init__(self, offsets: Mapping[Any, int | OffsetAndMetadata], group: ConsumerGroupMetadata) -> None:
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


def as_group(group: str | ConsumerGroupMetadata) -> ConsumerGroupMetadata:
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


def init_producer_id(who: Identity, timeout_ms: int) -> InitProducerIdRequest:
    """Ask for a producer id (-1 in `who`), or for the next epoch of the one in `who` (KIP-360)."""
    return InitProducerIdRequest(**who._asdict(), transaction_timeout_ms=timeout_ms)


def add_partitions(who: Identity, targets: Iterable[TopicPartition]) -> AddPartitionsToTxnRequest:
    """Announce partitions that the transaction is going to write to (generation 1)."""
    topic = AddPartitionsToTxnRequest.AddPartitionsToTxnTopic
    return AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=who.transactional_id,
        v3_and_below_producer_id=who.producer_id,
        v3_and_below_producer_epoch=who.producer_epoch,
        v3_and_below_topics=[topic(name=name, partitions=each) for name, each in by_topic(targets).items()],
        max_version=3,
    )


def add_offsets(who: Identity, commit: OffsetCommit) -> AddOffsetsToTxnRequest:
    """Announce that the transaction is going to commit offsets of a group (generation 1)."""
    return AddOffsetsToTxnRequest(**who._asdict(), group_id=commit.group.group_id)


def commit_offsets(who: Identity, commit: OffsetCommit, generation: int) -> TxnOffsetCommitRequest:
    """Write offsets that become valid with the transaction; from version 5 on, the broker announces them."""
    topic = TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic
    partition = topic.TxnOffsetCommitRequestPartition
    topics = [
        topic(
            name=name,
            partitions=[
                partition(
                    partition_index=number,
                    committed_offset=commit.left[name, number].offset,
                    committed_leader_epoch=commit.left[name, number].leader_epoch,
                    committed_metadata=commit.left[name, number].metadata,
                )
                for number in numbers
            ],
        )
        for name, numbers in by_topic(commit.left).items()
    ]
    group_id, generation_id, member_id, instance_id, _ = commit.group
    return TxnOffsetCommitRequest(
        **who._asdict(),
        group_id=group_id,
        generation_id=generation_id,
        member_id=member_id,
        group_instance_id=instance_id,
        topics=topics,
        max_version=5 if generation == 2 else 4,
    )


def end_transaction(who: Identity, generation: int, *, committed: bool) -> EndTxnRequest:
    """Commit or abort; from version 5 on, the answer holds the next epoch (KIP-890)."""
    return EndTxnRequest(**who._asdict(), committed=committed, max_version=5 if generation == 2 else 4)


def by_topic(targets: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Return the partitions grouped by topic."""
    grouped: dict[str, list[int]] = defaultdict(list)
    for topic, partition in targets:
        grouped[topic].append(partition)
    return grouped
