"""What a back end is: the few verbs that the keeper needs to run nodes, whatever they run in.

Rules
- A back end launches, stops and freezes nodes. Whether they are ready is judged by the client side,
  which asks the brokers themselves (cluster.py).
- Every verb is called on the keeper's main thread, one at a time: on Linux a child's death signal
  is tied to the thread that started it, and no locks are needed.
- What differs between back ends is where a node lives (`Place`). Everything else comes from properties.py.

Each back end is a module of this package with four functions (see `BackendModule`). Left out: "external"
clusters, which have no keeper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from rich.console import Console

Role = Literal["controller", "broker"]
Profile = Literal["lab", "kafka"]
NodeState = Literal["running", "paused", "dead"]

CONTROLLER_ID = 100


@dataclass(frozen=True)
class Ports:
    """Free ports on this machine's loopback, kept for a node's whole life."""

    client: int
    internal: int


@dataclass(frozen=True)
class Place:
    """Where one node lives: the only thing in which back ends differ."""

    bind: str
    """Address that its listeners bind to: 127.0.0.1, or 0.0.0.0 inside a container."""
    client_port: int
    """Port bound for clients; inside a container not the one that clients see."""
    published_port: int
    """Port on 127.0.0.1 where clients find it."""
    internal_host: str
    """Host under which the other nodes reach it."""
    internal_port: int
    """Port under which the other nodes reach it (and which it binds)."""
    data_dir: str
    """Kafka's log.dirs, as the node sees it."""


@dataclass(frozen=True)
class NodeSpec:
    """One node, complete: a back end needs nothing else to start it."""

    node_id: int
    role: Role
    cluster_id: str
    directory_id: str
    place: Place
    properties: Mapping[str, str]
    """server.properties; see properties.as_text() and properties.meta_properties()."""
    profile: Profile = "lab"
    """"lab": small heap, quick start. "kafka": Kafka's own JVM flags, for benches."""


class Backend(Protocol):
    """The running side, living inside the keeper."""

    name: str

    def place(self, node_id: int, role: Role, ports: Ports) -> Place:
        """Where this node will live; called once per node, before start()."""

    def start(self, nodes: Sequence[NodeSpec]) -> None:
        """Launch all nodes at once; return when all are launched, not when they are ready.

        Raises PortTakenError when a published port is held by somebody else.
        """

    def kill(self, node_id: int) -> None:
        """End the node as SIGKILL does, paused or not; return when it is dead."""

    def restart(self, node_id: int) -> None:
        """Launch a dead node again: same ports, same data.

        Raises PortTakenError when another process took a port meanwhile.
        """

    def pause(self, node_id: int) -> None:
        """Freeze the node (SIGSTOP): connections stay open, nothing answers."""

    def resume(self, node_id: int) -> None:
        """Let a frozen node go on."""

    def state(self, node_id: int) -> NodeState:
        """Tell what the node is doing as of now."""

    def log_tail(self, node_id: int, lines: int = 40) -> str:
        """Return the last lines of what the node printed, for error messages."""

    def rss(self) -> dict[int, int]:
        """Resident memory per living node, in bytes."""

    def close(self) -> None:
        """Take every node down with all that belongs to it; may be called twice."""


class BackendModule(Protocol):
    """The functions that kafkalab.cluster.embedded and kafkalab.cluster.containers offer."""

    def unavailable(self) -> str | None:
        """None when usable, else why not, in words for the learner. Answers within about two seconds."""

    def prepare(self, console: Console, profile: Profile) -> dict[str, str]:
        """Fetch and build what is missing, with progress, on the caller's side.

        Returns settings (plain strings) that open_backend() gets inside the keeper.
        """

    def open_backend(self, state_dir: Path, cluster_id: str, settings: Mapping[str, str]) -> Backend:
        """Make the running side; `state_dir` belongs to this cluster alone and is removed with it."""

    def sweep(self) -> None:
        """Remove what keepers that no longer live left behind outside their state directories."""
