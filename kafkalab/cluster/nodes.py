"""What a cluster's nodes can be told to do, seen from the caller's side.

Rules: two kinds exist, our own (keeping.Keeping) and somebody else's (external.ForeignNodes), which raises
NotPossibleError for what a guest cannot do. cluster.py knows only this interface.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from kafkalab.cluster.backend import NodeState
from kafkalab.cluster.wire import Address


class Nodes(Protocol):
    """The machinery under a Cluster; see backend.Backend for the verbs' meaning."""

    @property
    def backend(self) -> str:
        """Return "containers", "embedded" or "external"."""

    @property
    def controllers(self) -> list[int]:
        """The controllers' ids; empty when they are not ours to see."""

    @property
    def directory(self) -> Path | None:
        """The state directory; None when there is none."""

    def addresses(self) -> Mapping[int, Address]:
        """Where each broker listens for clients."""

    def states(self) -> dict[int, NodeState]:
        """Tell what each node is doing, controllers first."""

    def kill(self, node_id: int) -> None:
        """SIGKILL."""

    def restart(self, node_id: int) -> None:
        """Launch a dead node again."""

    def pause(self, node_id: int) -> None:
        """Freeze."""

    def resume(self, node_id: int) -> None:
        """Go on."""

    def log_tail(self, node_id: int, lines: int = 15) -> str:
        """Return the end of the node's log."""

    def rss(self) -> dict[int, int]:
        """Resident memory per living node, in bytes."""

    def stop(self) -> None:
        """Take all nodes down for good."""
