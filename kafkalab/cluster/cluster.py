"""Cluster: real brokers with the verbs that a lesson needs, whoever runs them.

Rules
- Three ways in: start() owns its nodes, attach() joins those of another process, connect() is a guest on
  a cluster that somebody else runs (external.py).
- Every verb that changes something returns when the change is to be seen, or raises with the last state seen.
- Topic names given by callers are physical names; `prefix` is what a guest has to put before them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from kafkalab import KAFKA_VERSION
from kafkalab.cluster import choice, external, healing, running, starting, status, waiting
from kafkalab.cluster.backend import Profile
from kafkalab.cluster.brokers import Brokers, Offsets
from kafkalab.cluster.errors import UnknownNodeError
from kafkalab.cluster.nodes import Nodes
from kafkalab.cluster.reading import LogBatch, LogRecord, level_of, read_batches, read_log, read_partition
from kafkalab.cluster.starting import Plan, log_tails
from kafkalab.cluster.status import ClusterStatus
from kafkalab.cluster.wire import PLAINTEXT, Security

WAIT_S = 30.0


class Cluster:
    """A handle on a running cluster; a context manager that stops what it started."""

    def __init__(
        self, nodes: Nodes, security: Security = PLAINTEXT, prefix: str = "", *, owned: bool = False
    ) -> None:
        """Do not call; use start(), attach() or connect()."""
        self._nodes = nodes
        self._owned = owned
        self.prefix = prefix
        self.security = security
        self._brokers = Brokers(nodes.addresses, self._running, security, lambda: log_tails(nodes))

    @classmethod
    def start(
        cls,
        brokers: int = 3,
        backend: str | None = None,
        profile: Profile = "lab",
        console: Console | None = None,
    ) -> Self:
        """Start one controller and `brokers` brokers; they end with this process or with stop().

        `backend` is "auto", "containers", "embedded" or "external"; default: KAFKALAB_BACKEND, else "auto".
        `profile` "kafka" runs brokers with Kafka's own JVM flags and timeouts. Which back end and why, and
        progress, go to `console` (default: stderr). Raises ClusterError of the kind that fits.
        """
        console = console or Console(stderr=True)
        chosen = choice.choose(backend)
        console.print(f"kafkalab: {chosen.name} Kafka {KAFKA_VERSION} ({chosen.reason})", highlight=False)
        if chosen.name == "external":
            return cls.connect()
        plan = Plan(chosen.name, brokers, profile, or_else=chosen.or_else)
        return cls(starting.start(plan, console), owned=True)

    @classmethod
    def attach(cls, directory: Path | str | None = None) -> Self:
        """Join a running cluster: in `directory`, else in KAFKALAB_CLUSTER, else that of `kafkalab up`.

        Raises NoClusterError when there is none.
        """
        return cls(running.find(directory))

    @classmethod
    def connect(cls, bootstrap_servers: str | None = None, security: Security | None = None) -> Self:
        """Be a guest on somebody else's cluster; default: KAFKALAB_BOOTSTRAP and KAFKALAB_SECURITY_*.

        Raises UnreachableError, TooOldError, ClusterError (login refused).
        """
        nodes = external.connect(bootstrap_servers, security)
        return cls(nodes, nodes.security, external.learner_prefix())

    @property
    def backend(self) -> str:
        """Return "containers", "embedded" or "external"."""
        return self._nodes.backend

    @property
    def directory(self) -> Path | None:
        """The state directory, for KAFKALAB_CLUSTER; None when external."""
        return self._nodes.directory

    @property
    def broker_ids(self) -> list[int]:
        """All brokers' ids, dead ones included."""
        return sorted(self._nodes.addresses())

    @property
    def controller_ids(self) -> list[int]:
        """The controllers' ids; empty when external."""
        return list(self._nodes.controllers)

    @property
    def bootstrap_servers(self) -> str:
        """All brokers' addresses, "host:port,host:port"."""
        addresses = self._nodes.addresses()
        return ",".join(str(addresses[node]) for node in self.broker_ids)

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int | None = None,
        assignment: Sequence[Sequence[int]] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """Create a topic and wait until every running broker shows it with leaders.

        `assignment` lists each partition's replicas, preferred leader first. Without it an own cluster places
        partition i on the brokers in order, beginning with the i-th. `replication_factor` defaults to 3 or to
        the number of brokers, if that is less. Raises kafka.errors.TopicAlreadyExistsError and its kind.
        """
        factor = replication_factor or min(3, len(self.broker_ids))
        self._brokers.create_topic(name, self._placement(partitions, factor, assignment), config or {})

    def recreate_topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int | None = None,
        assignment: Sequence[Sequence[int]] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        """Delete the topic if it exists, then create_topic(); no broker shows the old one afterwards."""
        self._brokers.delete_topic(name)
        self.create_topic(name, partitions, replication_factor, assignment, config)

    def delete_topic(self, name: str) -> None:
        """Delete the topic if it exists."""
        self._brokers.delete_topic(name)

    def add_partitions(self, name: str, count: int) -> None:
        """Let the topic have `count` partitions in all; kafka.errors.InvalidPartitionsError for fewer."""
        self._brokers.add_partitions(name, count)

    def stored(self, name: str) -> dict[int, int]:
        """Return how many bytes of the topic each running broker has on its disk."""
        return self._brokers.stored(name)

    def topics(self) -> list[str]:
        """Return the names of all topics, internal ones left out."""
        views = self._brokers.everywhere().values()
        return sorted({name for view in views for name in view if not name.startswith("__")})

    def partitions(self, topic: str) -> list[int]:
        """Return the topic's partition numbers."""
        return list(self._brokers.partition_numbers(topic))

    def leader(self, topic: str, partition: int) -> int | None:
        """Return the leader's node id as of now, or None."""
        return self._brokers.partition(topic, partition).leader

    def isr(self, topic: str, partition: int) -> list[int]:
        """Return the ids of the replicas in sync as of now, in ascending order."""
        return self._brokers.partition(topic, partition).isr

    def replicas(self, topic: str, partition: int) -> list[int]:
        """Return the ids of all replicas, preferred leader first."""
        return self._brokers.partition(topic, partition).replicas

    def offsets(self, topic: str, partition: int) -> Offsets:
        """Return start, last stable, high watermark and log end, as the leader knows them."""
        return self._brokers.offsets(topic, partition)

    def read(
        self, topic: str, isolation: str = "read_uncommitted", partition: int | None = None
    ) -> list[LogRecord]:
        """Return the topic's records by partition and offset, up to high watermark or last stable offset.

        `isolation` is "read_uncommitted" or "read_committed", as in a consumer; `partition` None means all.
        A record acknowledged with acks=1 shows only when the followers have it, which may take a moment.
        """
        level_of(isolation)
        numbers = [partition] if partition is not None else self._brokers.partition_numbers(topic)
        return [r for number in numbers for r in read_partition(self._brokers, topic, number, isolation)]

    def log(self, topic: str, partition: int) -> list[LogRecord]:
        """Return all that the partition's leader has: markers, and what is above the high watermark, too."""
        return list(read_log(self._brokers, topic, partition))

    def batches(self, topic: str, partition: int = 0) -> list[LogBatch]:
        """Return the partition's record batches as they lie in the leader's log, up to the high watermark."""
        return list(read_batches(self._brokers, topic, partition))

    def wait_leader(
        self,
        topic: str,
        partition: int,
        node_id: int | None = None,
        other_than: int | None = None,
        timeout: float = WAIT_S,
    ) -> int:
        """Wait until every running broker shows the same running leader, and return its id.

        `node_id` demands this one, `other_than` any but that one; `timeout` in seconds.
        Raises WaitTimeoutError.
        """
        return waiting.wait_leader(self._brokers, (topic, partition), node_id, other_than, timeout)

    def wait_isr(
        self,
        topic: str,
        partition: int,
        size: int | None = None,
        ids: Sequence[int] | None = None,
        timeout: float = WAIT_S,
    ) -> list[int]:
        """Wait until every running broker shows an ISR of this size, or of exactly these ids; return it.

        With neither, all replicas are waited for. `timeout` in seconds, else WaitTimeoutError.
        """
        return waiting.wait_isr(self._brokers, (topic, partition), size, ids, timeout)

    def kill(self, node_id: int) -> None:
        """SIGKILL a broker or controller, frozen or not; return when it is dead."""
        self._nodes.kill(self._known(node_id))

    def restart(self, node_id: int, timeout: float = WAIT_S) -> None:
        """Start a dead node again on the same ports and data; return when it serves clients again.

        Raises PortTakenError, NodeStateError (it is not dead), NodeDiedError, WaitTimeoutError.
        """
        self._nodes.restart(self._known(node_id))
        starting.await_back(self._nodes, node_id, timeout)

    def pause(self, node_id: int) -> None:
        """Freeze a node as SIGSTOP does: connections stay open, nothing answers."""
        self._nodes.pause(self._known(node_id))

    def resume(self, node_id: int) -> None:
        """Let a frozen node go on. It may take a second until it has caught up; wait_isr() waits for that."""
        self._nodes.resume(self._known(node_id))

    def heal(self) -> None:
        """Have all nodes up and unfrozen, all replicas in sync, preferred leaders elected.

        On an external cluster: check that it can be reached, nothing else.
        """
        healing.heal(self._nodes, self._brokers)

    def log_tail(self, node_id: int, lines: int = 15) -> str:
        """Return the last lines of a node's log."""
        return self._nodes.log_tail(self._known(node_id), lines)

    def status(self) -> ClusterStatus:
        """Return back end, addresses, and each node's state and memory."""
        return status.look(self._nodes, self.bootstrap_servers)

    def stop(self) -> None:
        """Take all nodes down and remove their files, whoever started them; a guest changes nothing."""
        self._nodes.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owned:
            self.stop()

    def __repr__(self) -> str:
        return f"<Cluster {self.backend}, brokers {self.broker_ids}>"

    def _running(self) -> list[int]:
        controllers = self._nodes.controllers
        states = self._nodes.states()
        return [node for node, state in states.items() if state == "running" and node not in controllers]

    def _known(self, node_id: int) -> int:
        known = [*self._nodes.addresses(), *self._nodes.controllers]
        if node_id not in known:
            raise UnknownNodeError(
                f"Node {node_id!r} is not in this cluster: brokers {self.broker_ids}, "
                f"controllers {self.controller_ids}."
            )
        return node_id

    def _placement(
        self, partitions: int, factor: int, assignment: Sequence[Sequence[int]] | None
    ) -> Mapping[int, Sequence[int]] | tuple[int, int]:
        if assignment is not None:
            return dict(enumerate(assignment))
        if self.backend == "external" or factor > len(self.broker_ids):
            return partitions, factor
        ring = self.broker_ids * 2
        count = len(self.broker_ids)
        return {p: ring[p % count : p % count + factor] for p in range(partitions)}
