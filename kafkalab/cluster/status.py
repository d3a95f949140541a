"""What Cluster.status() tells: plain data, for the CLI and for lessons to show."""

from pathlib import Path
from typing import NamedTuple

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.backend import NodeState, Role
from kafkalab.cluster.nodes import Nodes


class NodeStatus(NamedTuple):
    """One node."""

    node_id: int
    role: Role
    port: int | None
    """Where clients find it; None for controllers."""
    state: NodeState
    rss: int | None
    """Resident memory in bytes; None when dead or not ours to see."""


class ClusterStatus(NamedTuple):
    """The cluster as of now."""

    backend: str
    kafka_version: str
    """The release that own clusters run."""
    bootstrap_servers: str
    directory: Path | None
    nodes: list[NodeStatus]


def look(nodes: Nodes, bootstrap_servers: str) -> ClusterStatus:
    """Ask for every node's state and memory."""
    addresses, memory = nodes.addresses(), nodes.rss()
    rows = [
        NodeStatus(
            node,
            "controller" if node in nodes.controllers else "broker",
            addresses[node].port if node in addresses else None,
            state,
            memory.get(node),
        )
        for node, state in nodes.states().items()
    ]
    return ClusterStatus(nodes.backend, KAFKA_VERSION, bootstrap_servers, nodes.directory, rows)
