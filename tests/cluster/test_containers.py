"""Nodes in containers: what only this back end can get wrong. What all promise is tested elsewhere."""

import io
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from docker.models.containers import Container
from kafka import KafkaAdminClient
from leftovers import left_of
from needs import lacking
from rich.console import Console

from kafkalab import KAFKA_VERSION
from kafkalab.cluster import containers, network
from kafkalab.cluster.backend import Ports
from kafkalab.cluster.cluster import Cluster
from kafkalab.cluster.containers import Containers
from kafkalab.cluster.engine import CLUSTER_LABEL, engine, owner_labels, sweep_engine
from kafkalab.cluster.errors import EngineError, NodeDiedError, NodeStateError, PortTakenError
from kafkalab.cluster.keeper import new_id, plan
from kafkalab.cluster.network import NodeNetwork
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.ports import free_ports

pytestmark = pytest.mark.containers
JAVA_17 = f"kafkalab/kafka:{KAFKA_VERSION}-java17"
OWNER = """
import sys, time
from kafkalab.cluster.cluster import Cluster
cluster = Cluster.start(brokers=1, backend="containers")
print(cluster.directory, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty home, so that the first start formats the storage itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAFKALAB_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("KAFKALAB_CLUSTER", raising=False)
        yield Path(os.environ["KAFKALAB_HOME"])


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Cluster]:
    with Cluster.start(backend="containers", console=Console(file=io.StringIO())) as started:
        yield started


@pytest.fixture
def backend(home: Path) -> Iterator[Containers]:
    opened = Containers(f"test{new_id()}", kafka_image())
    yield opened
    opened.close()


def kafka_image() -> str:
    return containers.prepare(Console(file=io.StringIO()), "lab")[containers.IMAGE]


def nodes_of(cluster: Cluster) -> dict[int, Container]:
    assert cluster.directory is not None
    with engine() as client:
        found = client.containers.list(
            all=True, filters={"label": f"{CLUSTER_LABEL}={cluster.directory.name}"}
        )
    return {int(container.name.rpartition("-")[2]): container for container in found}


def addresses_of(cluster: Cluster) -> dict[int, list[str]]:
    return {
        node: [net["IPAddress"] for net in container.attrs["NetworkSettings"]["Networks"].values()]
        for node, container in nodes_of(cluster).items()
    }


def test_one_container_per_node_published_on_the_loopback_alone(cluster: Cluster) -> None:
    nodes = nodes_of(cluster)
    assert sorted(nodes) == [1, 2, 3, 100]
    for node, container in nodes.items():
        published = [binding for bindings in container.ports.values() for binding in bindings or []]
        assert [binding["HostIp"] for binding in published] == ([] if node == 100 else ["127.0.0.1"])
        assert container.attrs["HostConfig"]["CapDrop"] == ["ALL"]


def test_features_are_the_releases_latest(cluster: Cluster) -> None:
    admin = KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers, reconnect_backoff_max_ms=100)
    features = admin.describe_features()
    admin.close()
    newest = {name: feature["supported"][1] for name, feature in features.items() if name != "kraft.version"}
    assert {name: features[name]["finalized"][1] for name in newest} == newest
    assert newest["transaction.version"] == 2


def test_a_killed_broker_returns_with_ports_address_and_data(cluster: Cluster) -> None:
    cluster.recreate_topic("kept", replication_factor=3)
    addresses, servers = addresses_of(cluster), cluster.bootstrap_servers
    for broker in (1, 2):
        cluster.kill(broker)
    assert nodes_of(cluster)[1].status == "exited"
    for broker in (2, 1):
        cluster.restart(broker)
    assert cluster.wait_isr("kept", 0) == [1, 2, 3]
    assert addresses_of(cluster) == addresses
    assert cluster.bootstrap_servers == servers


def test_a_paused_broker_can_be_killed(cluster: Cluster) -> None:
    cluster.pause(3)
    cluster.pause(3)
    assert nodes_of(cluster)[3].status == "paused"
    cluster.kill(3)
    cluster.kill(3)
    assert nodes_of(cluster)[3].status == "exited"
    for verb in (cluster.pause, cluster.resume):
        with pytest.raises(NodeStateError, match=r"restart\(3\)"):
            verb(3)


def test_a_running_broker_is_not_restarted(cluster: Cluster) -> None:
    with pytest.raises(NodeStateError, match="only a dead one"):
        cluster.restart(1)


def test_status_and_log(cluster: Cluster) -> None:
    memory = [node.rss for node in cluster.status().nodes]
    assert all(rss is not None and rss > 50e6 for rss in memory)
    assert "Kafka" in cluster.log_tail(1, 100)


def test_a_port_taken_meanwhile_names_port_and_fix(cluster: Cluster) -> None:
    cluster.kill(1)
    port = next(node.port for node in cluster.status().nodes if node.node_id == 1)
    assert port is not None
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTakenError, match=str(port)) as caught:
        cluster.restart(1)
    assert f"process {os.getpid()}" in str(caught.value)


def test_a_start_that_fails_leaves_nothing(backend: Containers) -> None:
    nodes = plan(backend, backend._cluster_id, 1, "lab")
    port = nodes[1].place.published_port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTakenError, match=str(port)):
        backend.start(nodes)
    assert left_of(backend._cluster_id) == []


def test_a_port_that_the_engine_finds_taken(backend: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "require_free", lambda *_: None)
    nodes = plan(backend, backend._cluster_id, 1, "lab")
    held = ("127.0.0.1", nodes[1].place.published_port)
    with socket.create_server(held), pytest.raises(PortTakenError, match="did not start nodes"):
        backend.start(nodes)
    assert left_of(backend._cluster_id) == []


def test_an_image_without_java_is_told(backend: Containers, broken_image: str) -> None:
    backend._image = broken_image
    with pytest.raises(EngineError, match="java"):
        backend.start(plan(backend, backend._cluster_id, 1, "lab"))
    assert left_of(backend._cluster_id) == []


@pytest.fixture
def broken_image() -> Iterator[str]:
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    name = "kafkalab-test/broken:1"
    with engine() as client:
        client.api.import_image_from_data(empty.getvalue(), "kafkalab-test/broken", "1")
        yield name
        client.images.remove(name)


def test_a_node_that_dies_at_start_shows_its_log(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The keeper is another process: the environment is what reaches its nodes' JVM through the image.
    image = "kafkalab-test/dies:1"
    with engine() as client:
        base = client.containers.create(kafka_image(), "java")
        base.commit("kafkalab-test/dies", "1", changes='ENV JDK_JAVA_OPTIONS="-XX:NoSuchFlag"')
        base.remove()
        monkeypatch.setenv("KAFKALAB_IMAGE", image)
        try:
            with pytest.raises(NodeDiedError, match="NoSuchFlag"):
                Cluster.start(brokers=1, backend="containers", console=Console(file=io.StringIO()))
        finally:
            client.images.remove(image)


def test_closing_twice_and_closing_the_unstarted(backend: Containers) -> None:
    backend.place(1, "broker", Ports(*free_ports(2)))
    assert len(left_of(backend._cluster_id)) == 1
    backend.close()
    assert left_of(backend._cluster_id) == []


def test_a_subnet_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster_id = f"test{new_id()}"
    taken, free = (subnet for subnet, _ in zip(network._subnets(), range(2), strict=False))
    monkeypatch.setattr(network, "_subnets", lambda: iter([taken, free]))
    try:
        first = NodeNetwork(owner_labels(cluster_id))
        monkeypatch.setattr(network, "_subnets", lambda: iter([taken, free]))
        second = NodeNetwork(owner_labels(cluster_id))
        monkeypatch.setattr(network, "_subnets", lambda: iter([taken]))
        with pytest.raises(EngineError, match="docker network prune"):
            NodeNetwork(owner_labels(cluster_id))
        assert first.next_address() == str(taken[2])
        assert second.next_address() == str(free[2])
    finally:
        with engine() as client:
            sweep_engine(client, cluster_id)


def start_owner() -> tuple["subprocess.Popen[str]", Path]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    return owner, Path(owner.stdout.readline().strip())


def test_containers_end_with_a_killed_owner(home: Path) -> None:
    owner, directory = start_owner()
    assert len(left_of(directory.name)) == 3
    owner.kill()
    owner.communicate()
    wait_until("containers and network are gone", lambda: not left_of(directory.name), timeout=15)


def test_the_next_start_sweeps_after_a_killed_keeper(cluster: Cluster) -> None:
    owner, directory = start_owner()
    try:
        keeper = next(
            child for child in psutil.Process(owner.pid).children() if str(directory) in child.cmdline()
        )
        keeper.kill()
        wait_until("the keeper is dead", lambda: keeper.status() == psutil.STATUS_ZOMBIE)
        assert len(left_of(directory.name)) == 3
        containers.sweep()
        assert left_of(directory.name) == []
        assert len(nodes_of(cluster)) == 4
    finally:
        owner.kill()
        owner.communicate()


@pytest.mark.slow
def test_an_older_java_runs_the_same_command_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_IMAGE", JAVA_17)
    if reason := containers.unavailable():
        lacking("containers", f"{reason} (docker/build-java17.sh builds this one)")
    with Cluster.start(backend="containers", console=Console(file=io.StringIO())) as started:
        started.create_topic("old", partitions=3)
        assert started.wait_isr("old", 0) == [1, 2, 3]
