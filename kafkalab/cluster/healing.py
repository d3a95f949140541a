"""Bring a cluster back to where a lesson can begin: all nodes up, all replicas in sync, preferred leaders.

Rules: the controller first, because brokers register with it; nodes are told apart by their state only, never
by what a lesson says it did. Every step waits for its own condition, so a failure names the step.
"""

from typing import Any

import kafka.errors
from kafka.protocol.admin import DescribeQuorumRequest, ElectLeadersRequest

from kafkalab.cluster.brokers import ADMIN_TIMEOUT_MS, Brokers, Partition
from kafkalab.cluster.nodes import Nodes
from kafkalab.cluster.wire import check

HEAL_S = 60.0
METADATA_LOG = "__cluster_metadata"
NOTHING_TO_DO = (0, kafka.errors.ElectionNotNeededError.errno)


def wake(nodes: Nodes) -> list[int]:
    """Resume frozen nodes and restart dead ones; return the ids of those touched."""
    touched = []
    for node, state in nodes.states().items():
        if state == "paused":
            nodes.resume(node)
            touched.append(node)
        elif state == "dead":
            nodes.restart(node)
            touched.append(node)
    return touched


def heal(nodes: Nodes, brokers: Brokers) -> None:
    """Do all of it; on a healthy cluster that takes some ten milliseconds."""
    wake(nodes)
    if nodes.controllers:
        await_controller(brokers)
    await_members(brokers)
    await_full_isr(brokers)
    elect_preferred(brokers)


def await_controller(brokers: Brokers, timeout: float = HEAL_S) -> None:
    """Wait until an active controller answers through the brokers: without one, metadata only looks well."""
    kind = DescribeQuorumRequest.TopicData

    def leader() -> int:
        asked = kind(topic_name=METADATA_LOG, partitions=[kind.PartitionData(partition_index=0)])
        answer = brokers.order(lambda: DescribeQuorumRequest(topics=[asked], version=0))
        check(answer.error_code, "Looking for the controller")
        quorum = answer.topics[0].partitions[0]
        check(quorum.error_code, "Looking for the controller")
        return int(quorum.leader_id)

    brokers.wait("a controller is active", leader, lambda node: node >= 0, timeout)


def await_members(brokers: Brokers, timeout: float = HEAL_S) -> None:
    """Wait until every broker runs and lists exactly all brokers: the sign that a cluster is ready."""
    expected = sorted(brokers.addresses())
    brokers.wait(
        f"brokers {expected} see each other",
        lambda: {node: brokers.members(node) for node in brokers.running()},
        lambda views: sorted(views) == expected and all(view == expected for view in views.values()),
        timeout,
    )


def await_full_isr(brokers: Brokers, timeout: float = HEAL_S) -> None:
    """Wait until every running broker shows every partition with a leader and all replicas in sync."""
    brokers.wait(
        "all replicas of all topics are in sync",
        lambda: _odd_ones(brokers, lambda p: p.leader is None or sorted(p.replicas) != p.isr),
        lambda odd: not odd,
        timeout,
    )


def elect_preferred(brokers: Brokers, timeout: float = HEAL_S) -> None:
    """Make the first replica of every partition its leader and wait until every broker shows it."""
    if not _odd_ones(brokers, _is_led_by_other):
        return

    def elect() -> list[str]:
        _elect(brokers)
        return _odd_ones(brokers, _is_led_by_other)

    brokers.wait("preferred leaders are elected", elect, lambda odd: not odd, timeout)


def _is_led_by_other(partition: Partition) -> bool:
    return partition.leader != partition.replicas[0]


def _odd_ones(brokers: Brokers, is_odd: Any) -> list[str]:
    """Name the partitions that some broker shows as odd, for conditions and their error texts."""
    return [
        f"{topic}-{number} at broker {node}: {partition}"
        for node, view in brokers.everywhere().items()
        for topic, seen in view.items()
        for number, partition in seen.partitions.items()
        if is_odd(partition)
    ]


def _elect(brokers: Brokers) -> None:
    def request() -> Any:
        # No list of partitions means all of them.
        return ElectLeadersRequest(
            election_type=0, topic_partitions=None, timeout_ms=ADMIN_TIMEOUT_MS, version=2
        )

    answer = brokers.order(request)
    check(answer.error_code, "Electing preferred leaders")
    for topic in answer.replica_election_results:
        for result in topic.partition_result:
            if result.error_code not in NOTHING_TO_DO:
                what = f"Electing the leader of {topic.topic}-{result.partition_id}"
                check(result.error_code, what, result.error_message)
