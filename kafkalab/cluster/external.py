"""A guest on somebody else's cluster: KAFKALAB_BOOTSTRAP and KAFKALAB_SECURITY_*.

Rules
- Its nodes are not ours: verbs that would touch them raise NotPossibleError and say what to use instead.
- The cluster must be a Kafka in KRaft mode that speaks the protocol versions which the course uses; anything
  older is told so at once, not in the middle of a lesson.
- Learners share such a cluster, so names of topics, groups and transactional ids begin with a prefix per
  learner.
"""

import getpass
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Never

from kafka.protocol.metadata import MetadataRequest

from kafkalab.cluster.backend import NodeState
from kafkalab.cluster.choice import BOOTSTRAP_VARIABLE
from kafkalab.cluster.errors import ClusterError, NotPossibleError, TooOldError, UnreachableError
from kafkalab.cluster.wire import Address, Security, call, versions

LEARNER_VARIABLE = "KAFKALAB_LEARNER"
SECURITY_VARIABLES = {
    "protocol": "KAFKALAB_SECURITY_PROTOCOL",
    "mechanism": "KAFKALAB_SECURITY_SASL_MECHANISM",
    "username": "KAFKALAB_SECURITY_SASL_USERNAME",
    "password": "KAFKALAB_SECURITY_SASL_PASSWORD",
    "cafile": "KAFKALAB_SECURITY_SSL_CAFILE",
}
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
NEEDED = {
    0: ("Produce", 9),
    1: ("Fetch", 12),
    2: ("ListOffsets", 7),
    3: ("Metadata", 12),
    22: ("InitProducerId", 4),
}
"""API key -> name and lowest version that the course uses."""


class ForeignNodes:
    """The nodes of an external cluster: to be seen, not to be touched."""

    backend = "external"
    directory: Path | None = None

    def __init__(self, bootstrap: list[Address], security: Security) -> None:
        self.security = security
        self.controllers: list[int] = []
        self._bootstrap = bootstrap
        self._known: dict[int, Address] = self._ask()

    def addresses(self) -> Mapping[int, Address]:
        """Return the brokers that were seen when we connected."""
        return self._known

    def states(self) -> dict[int, NodeState]:
        """Return the brokers that the cluster lists as of now; the missing ones count as dead."""
        alive = self._ask()
        return {node: "running" if node in alive else "dead" for node in self._known}

    def kill(self, node_id: int) -> None:
        """Raise NotPossibleError."""
        self._refuse("kill", node_id)

    def restart(self, node_id: int) -> None:
        """Raise NotPossibleError."""
        self._refuse("restart", node_id)

    def pause(self, node_id: int) -> None:
        """Raise NotPossibleError."""
        self._refuse("pause", node_id)

    def resume(self, node_id: int) -> None:
        """Raise NotPossibleError."""
        self._refuse("resume", node_id)

    def log_tail(self, node_id: int, lines: int = 15) -> str:
        """Say that the log is not ours to see."""
        return f"(the last {lines} lines of node {node_id}'s log are not ours to see)"

    def rss(self) -> dict[int, int]:
        """Return nothing."""
        return {}

    def stop(self) -> None:
        """Leave the cluster as it is."""

    def _refuse(self, verb: str, node_id: int) -> Never:
        raise NotPossibleError(
            f"{verb}({node_id}) is not possible on an external cluster: somebody else runs its brokers. "
            f"Unset {BOOTSTRAP_VARIABLE} and start one of your own (Cluster.start(), `kafkalab up`)."
        )

    def _ask(self) -> dict[int, Address]:
        """Ask the first bootstrap address that answers for all brokers."""
        failures = []
        for address in self._bootstrap:
            try:
                request = MetadataRequest(topics=[], allow_auto_topic_creation=False, version=12)
                found = call(address, request, self.security).brokers
                return {b.node_id: Address(b.host, b.port) for b in found}
            except OSError as error:
                failures.append(f"{address}: {error}")
        raise _unreachable(failures)


def connect(bootstrap_servers: str | None, security: Security | None) -> ForeignNodes:
    """Look at the cluster and return its nodes; arguments default to the environment.

    Raises UnreachableError, TooOldError, ClusterError.
    """
    servers = bootstrap_servers or os.environ.get(BOOTSTRAP_VARIABLE)
    if not servers:
        raise ClusterError(
            f'Where is the cluster? Set {BOOTSTRAP_VARIABLE}="host:9092", or pass bootstrap_servers.'
        )
    addresses = [parse_address(text) for text in servers.split(",")]
    security = security or security_from_environment()
    _require_new_enough(addresses, security)
    return ForeignNodes(addresses, security)


def parse_address(text: str) -> Address:
    """Read "host:port" or "[v6]:port". Raises ClusterError."""
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdigit():
        raise ClusterError(f'{text!r} is no broker address; expected "host:port", such as "localhost:9092".')
    return Address(host.strip("[]"), int(port))


def security_from_environment() -> Security:
    """Read KAFKALAB_SECURITY_*; without any, PLAINTEXT. Raises ClusterError for an unknown protocol."""
    given = {field: os.environ[name] for field, name in SECURITY_VARIABLES.items() if os.environ.get(name)}
    security = Security(**given)
    if security.protocol not in PROTOCOLS:
        raise ClusterError(
            f"{SECURITY_VARIABLES['protocol']}={security.protocol}: allowed are {', '.join(PROTOCOLS)}."
        )
    return security


def learner_prefix() -> str:
    """Return what this learner's names begin with: KAFKALAB_LEARNER, else the login name."""
    learner = os.environ.get(LEARNER_VARIABLE) or getpass.getuser()
    return f"{re.sub('[^a-zA-Z0-9_-]', '-', learner)}."


def _require_new_enough(addresses: list[Address], security: Security) -> None:
    answer = _first_answer(addresses, security)
    offered = {api.api_key: api.max_version for api in answer.api_keys}
    missing = [f"{name} v{least}" for api, (name, least) in NEEDED.items() if offered.get(api, -1) < least]
    features = {feature.name for feature in answer.finalized_features or []}
    if "metadata.version" not in features:
        missing.append("KRaft (the feature metadata.version)")
    if missing:
        raise TooOldError(
            f"The Kafka at {', '.join(map(str, addresses))} is too old for this course: "
            f"it lacks {', '.join(missing)}. Kafka 3.3 or later in KRaft mode has it all; "
            f"or unset {BOOTSTRAP_VARIABLE} to run your own."
        )


def _first_answer(addresses: list[Address], security: Security) -> Any:
    failures = []
    for address in addresses:
        try:
            return versions(address, security)
        except OSError as error:
            failures.append(f"{address}: {error}")
    raise _unreachable(failures)


def _unreachable(failures: list[str]) -> UnreachableError:
    return UnreachableError(
        f"No broker answers ({'; '.join(failures)}). Check {BOOTSTRAP_VARIABLE} and, if the cluster "
        f"wants TLS or a login, {SECURITY_VARIABLES['protocol']} and its relatives."
    )
