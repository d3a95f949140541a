"""The containers back end: every node is a container of its own, run through testcontainers.

Rules
- Nodes live in a network of their own with fixed addresses (network.py).
- Only the clients' port of a broker is published, on the loopback alone, and the same over restarts.
- A node runs as root without any capability: files that testcontainers copies in belong to root. Its data
  stays in the container, over kills and restarts, and goes with it.
- One command line for every image; what only its JRE knows is in the image's own JDK_JAVA_OPTIONS.
- Everything carries the keeper's labels (engine.py), so that the next start finds what a killed keeper left.

Left out: judging readiness (cluster.py) and getting images (image_choice.py, image.py).
"""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker.errors
import requests
from docker.client import DockerClient
from docker.models.containers import Container
from rich.console import Console
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from kafkalab.cluster import image_choice
from kafkalab.cluster.backend import Backend, NodeSpec, NodeState, Place, Ports, Profile, Role
from kafkalab.cluster.engine import engine, owner_labels, remote_host, sweep_engine
from kafkalab.cluster.errors import EngineError, NodeStateError, PortTakenError
from kafkalab.cluster.home import cache_dir, writable
from kafkalab.cluster.java import FLAGS, LOG4J_FILE
from kafkalab.cluster.network import NodeNetwork
from kafkalab.cluster.oneoff import CLASS_PATH, CONFIG, DATA, LOG_CONFIG, format_controller
from kafkalab.cluster.ports import LOOPBACK, require_free
from kafkalab.cluster.properties import as_text
from kafkalab.cluster.storage import initial_files, kept_checkpoint

IMAGE = "image"
CLIENT_PORT = 9094
INTERNAL_PORT = 9092

_NO_DNS_CACHE = ("-Dsun.net.inetaddr.ttl=0", "-Dsun.net.inetaddr.negative.ttl=0")
_STATES: dict[str, NodeState] = {"running": "running", "paused": "paused"}
_TAKEN = ("port is already allocated", "address already in use")


def unavailable() -> str | None:
    """Return None when an engine answers and the image is there or can be had quickly, else why not."""
    try:
        if host := remote_host():
            return (
                f"The Docker engine runs on {host}; nodes publish their ports on its loopback, not on ours."
            )
        return image_choice.why_none()
    except EngineError as error:
        return str(error)


def prepare(console: Console, profile: Profile) -> dict[str, str]:
    """Make sure of image and bootstrap checkpoint, with progress.

    Raises EngineError, ImageError, CacheError.
    """
    del profile  # both profiles run the same image
    image = image_choice.ensure(console)
    if not kept_checkpoint().exists():
        with engine() as client, console.status(f"Formatting storage with {image} (once)"):
            _keep_checkpoint(format_controller(client, image))
    return {IMAGE: image}


def _keep_checkpoint(content: bytes) -> None:
    kept = kept_checkpoint()
    fresh = writable(cache_dir()) / f"{kept.name}.{random.getrandbits(32):08x}"
    fresh.write_bytes(content)
    fresh.replace(kept)


def open_backend(state_dir: Path, cluster_id: str, settings: Mapping[str, str]) -> Backend:
    """Make the running side; `settings` are what prepare() returned."""
    del state_dir  # nodes keep their files in their containers
    return Containers(cluster_id, settings[IMAGE])


def sweep() -> None:
    """Remove containers and networks of keepers that live no more; does nothing without an engine."""
    with contextlib.suppress(EngineError), engine() as client:
        sweep_engine(client)


class Containers:
    """Nodes as containers; see backend.Backend for the verbs."""

    name = "containers"

    def __init__(self, cluster_id: str, image: str) -> None:
        self._cluster_id = cluster_id
        self._image = image
        self._nodes: dict[int, NodeSpec] = {}
        self._containers: dict[int, DockerContainer] = {}
        self._network: NodeNetwork | None = None
        self._open = contextlib.ExitStack()
        self._client: DockerClient = self._open.enter_context(engine())
        testcontainers_config.ryuk_disabled |= not self._has_ryuk()

    def place(self, node_id: int, role: Role, ports: Ports) -> Place:
        """Give the node the next address in the cluster's network, made on the first call."""
        del node_id, role
        if self._network is None:
            self._network = NodeNetwork(owner_labels(self._cluster_id))
        address = self._network.next_address()
        return Place(address, CLIENT_PORT, ports.client, address, INTERNAL_PORT, DATA)

    def start(self, nodes: Sequence[NodeSpec]) -> None:
        """Create and start all containers at once; on failure none is left."""
        self._nodes = {node.node_id: node for node in nodes}
        try:
            for node in nodes:
                _require_port(node)
            self._containers = {node.node_id: self._container(node) for node in nodes}
            with _orders(f"start nodes of {self._image}"), ThreadPoolExecutor(len(nodes)) as pool:
                for started in [pool.submit(container.start) for container in self._containers.values()]:
                    started.result()
        except BaseException:
            self.close()
            raise

    def kill(self, node_id: int) -> None:
        """SIGKILL. A frozen container has to be thawed for it: it lives on for some milliseconds."""
        with _orders(f"kill node {node_id}"):
            if self.state(node_id) == "paused":
                self._docker(node_id).unpause()
            if self.state(node_id) == "running":
                self._docker(node_id).kill()
            self._docker(node_id).wait(condition="not-running")

    def restart(self, node_id: int) -> None:
        """Start the same container again."""
        if (state := self.state(node_id)) != "dead":
            raise NodeStateError(f"Node {node_id} is {state}; only a dead one can be restarted.")
        _require_port(self._nodes[node_id])
        with _orders(f"restart node {node_id}"):
            self._docker(node_id).start()

    def pause(self, node_id: int) -> None:
        """Freeze the container."""
        self._require_alive(node_id)
        if self.state(node_id) == "running":
            with _orders(f"pause node {node_id}"):
                self._docker(node_id).pause()

    def resume(self, node_id: int) -> None:
        """Thaw the container."""
        self._require_alive(node_id)
        if self.state(node_id) == "paused":
            with _orders(f"resume node {node_id}"):
                self._docker(node_id).unpause()

    def state(self, node_id: int) -> NodeState:
        """Ask the engine."""
        container = self._docker(node_id)
        with _orders(f"look at node {node_id}"):
            container.reload()
        return _STATES.get(container.status, "dead")

    def log_tail(self, node_id: int, lines: int = 40) -> str:
        """Read the end of the container's log."""
        log: bytes = self._docker(node_id).logs(tail=lines)
        return log.decode(errors="replace")

    def rss(self) -> dict[int, int]:
        """Ask the engine for each living node's memory."""
        living = [node_id for node_id in self._containers if self.state(node_id) != "dead"]
        if not living:
            return {}
        with ThreadPoolExecutor(len(living)) as pool:
            return dict(zip(living, pool.map(self._rss, living), strict=True))

    def close(self) -> None:
        """Remove all containers at once, then whatever else carries this cluster's label."""
        containers, self._containers = self._containers, {}
        with _orders("remove the nodes"), self._open:
            self._remove(list(containers.values()))
            if self._network is not None:
                sweep_engine(self._client, self._cluster_id)
                self._network = None

    def _remove(self, containers: Sequence[DockerContainer]) -> None:
        if not containers:
            return
        with ThreadPoolExecutor(len(containers)) as pool:
            for stopped in [pool.submit(_stop, container) for container in containers]:
                stopped.result()

    def _container(self, node: NodeSpec) -> DockerContainer:
        container = DockerContainer(self._image).with_name(f"kafkalab-{self._cluster_id}-{node.node_id}")
        container.with_command([*_java(node.profile), "-cp", CLASS_PATH, "kafka.Kafka", CONFIG])
        container.with_kwargs(**self._isolation(node.place.internal_host))
        if node.role == "broker":
            # with_bind_ports() knows no address and would publish on every interface.
            published: dict[str, Any] = {str(CLIENT_PORT): (LOOPBACK, node.place.published_port)}
            container.ports = published
        for path, content in _files(node).items():
            container.with_copy_into_container(content, path)
        return container

    def _isolation(self, address: str) -> dict[str, object]:
        network = self._network.name if self._network else ""
        endpoint = self._client.api.create_endpoint_config(ipv4_address=address)
        return {
            "network": network,
            "networking_config": {network: endpoint},
            "labels": owner_labels(self._cluster_id),
            "entrypoint": [],
            "user": "0",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
        }

    def _docker(self, node_id: int) -> Container:
        return self._containers[node_id].get_wrapped_container()

    def _require_alive(self, node_id: int) -> None:
        if self.state(node_id) == "dead":
            raise NodeStateError(f"Node {node_id} is dead; restart({node_id}) brings it back.")

    def _rss(self, node_id: int) -> int:
        """Anonymous and mapped pages, as for a process; cgroups 1 and 2 name them differently."""
        memory = self._client.api.stats(self._docker(node_id).id, stream=False, one_shot=True)["memory_stats"]
        pages = memory.get("stats", {})
        known = pages.get("rss", pages.get("anon")), pages.get("mapped_file", pages.get("file_mapped", 0))
        return int(memory.get("usage", 0) if known[0] is None else sum(known))

    def _has_ryuk(self) -> bool:
        """Whether testcontainers' own cleaner is there; without it, starting would try to pull it."""
        return bool(self._client.images.list(name=testcontainers_config.ryuk_image))


def _java(profile: Profile) -> list[str]:
    return ["java", *FLAGS[profile], *_NO_DNS_CACHE, f"-Dlog4j2.configurationFile={LOG_CONFIG}"]


def _files(node: NodeSpec) -> dict[str, bytes]:
    data = {f"{DATA}/{name}": content for name, content in initial_files(node).items()}
    return {CONFIG: as_text(node.properties).encode(), LOG_CONFIG: LOG4J_FILE.read_bytes(), **data}


def _require_port(node: NodeSpec) -> None:
    if node.role == "broker":
        require_free(node.place.published_port, f"broker {node.node_id}")


def _stop(container: DockerContainer) -> None:
    """Remove; one that never came to be, or is gone already, is no error."""
    with contextlib.suppress(docker.errors.NotFound):
        container.stop()


@contextlib.contextmanager
def _orders(what: str) -> Iterator[None]:
    """Turn what docker-py raises into PortTakenError or EngineError."""
    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = str(getattr(error, "explanation", None) or error)
        if any(words in reason for words in _TAKEN):
            raise PortTakenError(
                f"The Docker engine did not {what}: {reason}. End what holds it, or start a new cluster."
            ) from error
        raise EngineError(
            f"The Docker engine did not {what}: {reason}. `docker info` and `docker ps -a` show its state."
        ) from error
