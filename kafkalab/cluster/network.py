"""The network that a cluster's containers share: fixed addresses, handed out one by one.

Rules: two nodes restarted at once must not swap addresses, or Kafka talks to the wrong one for a minute; the
engine keeps an address only in a network whose range was asked for. The range comes from 198.18.0.0/15, which
is set aside for tests of networks, so no real one is hidden by it. Which parts are in use only the engine
knows: a random one is tried, and another if it is taken.
"""

import ipaddress
import random
from collections.abc import Iterator, Mapping

import docker.errors
from docker.types.networks import IPAMConfig, IPAMPool
from testcontainers.core.network import Network

from kafkalab.cluster.errors import EngineError

TEST_NETWORKS = ipaddress.IPv4Network("198.18.0.0/15")
PREFIX = 27
"""Room for 29 nodes in each."""
TRIES = 20
FIRST_NODE = 2
"""The engine itself takes the first address of a network."""


class NodeNetwork:
    """One network, made at once; it is removed by its labels (engine.sweep_engine)."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.name = ""
        self._free: Iterator[ipaddress.IPv4Address] = iter(())
        for subnet in _subnets():
            if self._make(subnet, labels):
                return
        raise EngineError(
            f"The Docker engine has no room for a network in {TEST_NETWORKS} ({TRIES} parts were tried). "
            "`docker network prune` removes networks that nothing uses."
        )

    def next_address(self) -> str:
        """Return an address that no other node has."""
        return str(next(self._free))

    def _make(self, subnet: ipaddress.IPv4Network, labels: Mapping[str, str]) -> bool:
        pools = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))])
        network = Network(docker_network_kw={"ipam": pools, "labels": dict(labels)})
        try:
            network.create()
        except docker.errors.APIError as error:
            if "overlaps" in str(error.explanation):
                return False
            raise EngineError(
                f"The Docker engine did not make a network: {error.explanation}. "
                "`docker info` shows its state."
            ) from error
        self.name = network.name
        self._free = iter(list(subnet)[FIRST_NODE:-1])
        return True


def _subnets() -> Iterator[ipaddress.IPv4Network]:
    first, size = int(TEST_NETWORKS.network_address), 2 ** (32 - PREFIX)
    for number in random.sample(range(TEST_NETWORKS.num_addresses // size), TRIES):
        yield ipaddress.IPv4Network((first + number * size, PREFIX))
