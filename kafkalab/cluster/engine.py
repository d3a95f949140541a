"""The container engine: reaching it, and finding what dead keepers left in it.

Rules
- The engine is found the way testcontainers finds it (DOCKER_HOST, Docker contexts, the usual socket) and
  asked with a short timeout, because `auto` waits for the answer.
- Everything this package creates in the engine carries labels; the owner in them is the keeper process.
  What belongs to a keeper that lives no more is removed by `sweep_engine`.

Left out: engines on other machines. Nodes publish their ports on that engine's loopback, which is not ours.
"""

import contextlib
import os
import platform
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlparse

import docker.errors
from docker.client import DockerClient
from docker.models.networks import Network
from docker.utils.utils import parse_host
from testcontainers.core.docker_client import DockerClient as FoundEngine
from testcontainers.core.docker_client import get_docker_host

from kafkalab.cluster.errors import EngineError, WaitTimeoutError
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.processes import ProcessId, find, identify

REMOVAL_S = 20.0
CLUSTER_LABEL = "kafkalab.cluster"
OWNER_PID_LABEL = "kafkalab.owner.pid"
OWNER_CREATED_LABEL = "kafkalab.owner.created"
OWNER_MACHINE_LABEL = "kafkalab.owner.machine"
"""Process ids count per machine, and one engine may serve several (containers with its socket mounted)."""

PROBE_TIMEOUT = 2.0
"""Seconds that an engine gets to answer when we only want to know whether it is there."""
WORK_TIMEOUT = 60.0
"""Seconds that the engine gets for one order."""

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@contextlib.contextmanager
def engine(timeout: float = WORK_TIMEOUT) -> Iterator[DockerClient]:
    """Give a docker-py client, closed afterwards.

    Raises EngineError when no engine answers within `timeout` seconds.
    """
    try:
        _knock(timeout)
        client = FoundEngine(timeout=timeout).client
    except OSError as error:
        raise EngineError(_no_engine(error.strerror or str(error))) from error
    except docker.errors.DockerException as error:
        raise EngineError(_no_engine(str(error))) from error
    try:
        yield client
    finally:
        client.close()


def _address() -> str:
    """Return the engine's address; Docker's own default for this platform when nothing names another."""
    return str(parse_host(get_docker_host() or "", is_win32=platform.system() == "Windows"))


def _knock(timeout: float) -> None:
    """Connect once: docker-py leaks its socket, and words the reason badly, when nobody listens."""
    scheme, _, path = _address().partition("://")
    if scheme == "http+unix":
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.settimeout(timeout)
            knocking.connect(path)


def _no_engine(reason: str) -> str:
    return (
        f"No Docker engine answers at {_address().removeprefix('http+')} ({reason}). Start Docker (Docker "
        "Desktop, or `sudo systemctl start docker`), check with `docker info` that you may use it, or run "
        "without it: KAFKALAB_BACKEND=embedded."
    )


def remote_host() -> str | None:
    """Return the host name of an engine that runs on another machine, None for a local one."""
    host = urlparse(os.environ.get("DOCKER_HOST", "")).hostname
    return None if host in _LOOPBACK else host


def owner_labels(cluster_id: str) -> dict[str, str]:
    """Return the labels that tie a container or network to this process and its cluster."""
    me = identify()
    return {
        CLUSTER_LABEL: cluster_id,
        OWNER_PID_LABEL: str(me.pid),
        OWNER_CREATED_LABEL: repr(me.created),
        OWNER_MACHINE_LABEL: platform.node(),
    }


def _owner_lives(labels: Mapping[str, str]) -> bool:
    try:
        owner = ProcessId(int(labels[OWNER_PID_LABEL]), float(labels[OWNER_CREATED_LABEL]))
    except (KeyError, ValueError):
        return False
    return find(owner) is not None


def sweep_engine(client: DockerClient, cluster_id: str | None = None) -> int:
    """Remove what keepers that live no more left, or all of `cluster_id`; return how many objects went."""
    return _remove_containers(client, cluster_id) + _remove_networks(client, cluster_id)


def _doomed(labels: Mapping[str, str], cluster_id: str | None) -> bool:
    if cluster_id is not None:
        return labels.get(CLUSTER_LABEL) == cluster_id
    return labels.get(OWNER_MACHINE_LABEL) == platform.node() and not _owner_lives(labels)


def _remove_containers(client: DockerClient, cluster_id: str | None) -> int:
    found = client.containers.list(all=True, filters={"label": CLUSTER_LABEL}, ignore_removed=True)
    doomed = [container for container in found if _doomed(container.labels, cluster_id)]
    for container in doomed:
        with _already_gone():
            container.remove(force=True, v=True)
    return len(doomed)


def _remove_networks(client: DockerClient, cluster_id: str | None) -> int:
    found = client.networks.list(filters={"label": CLUSTER_LABEL})
    doomed = [network for network in found if _doomed(network.attrs.get("Labels") or {}, cluster_id)]
    for network in doomed:
        _remove_network(network)
    return len(doomed)


def _remove_network(network: Network) -> None:
    """Remove it as soon as it is free; what another sweep has not got off it by then is left to that one."""
    with contextlib.suppress(WaitTimeoutError):
        wait_until("the network is free", lambda: _removed(network), timeout=REMOVAL_S, not_yet=())


def _removed(network: Network) -> bool:
    """Remove it; False while a container that another sweep is removing is still on it."""
    try:
        with _already_gone():
            network.remove()
    except docker.errors.APIError as error:
        if error.status_code != 403:
            raise
        return False
    return True


@contextlib.contextmanager
def _already_gone() -> Iterator[None]:
    """Two sweeps may meet: what the other one removed, or is removing, is no error."""
    try:
        yield
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != 409:
            raise
