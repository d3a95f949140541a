"""Who owns a cluster, who may join it, and what happens when an owner or a keeper is killed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kafkalab.cluster import (
    Cluster,
    KeeperGoneError,
    NoClusterError,
    PortTakenError,
    down,
    find,
    statefile,
    up,
)
from kafkalab.cluster.home import clusters_dir
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.processes import find as living

pytestmark = pytest.mark.cluster

OWNER = """
import sys
from kafkalab.cluster import Cluster
cluster = Cluster.start(brokers=1)
print(cluster.directory, flush=True)
sys.stdin.read()
"""


def is_gone(directory: Path, state: statefile.ClusterState) -> bool:
    processes = [state.keeper, *state.node_processes]
    return not directory.exists() and not any(living(process) for process in processes if process)


def test_a_cluster_goes_when_its_owner_is_killed():
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with owner:
        directory = Path(owner.stdout.readline().decode().strip())
        state = statefile.read(directory)
        owner.kill()
        owner.wait()
        wait_until("cluster and files are gone", lambda: is_gone(directory, state), timeout=10)


def test_nodes_go_when_the_keeper_is_killed_and_files_at_the_next_start(private_cluster):
    cluster = private_cluster(backend="embedded", brokers=1)
    state = statefile.read(cluster.directory)
    living(state.keeper).kill()
    if sys.platform == "linux":
        wait_until("nodes are gone", lambda: not any(map(living, state.node_processes)), timeout=10)
    with pytest.raises(KeeperGoneError, match=r"has ended.*Start a new cluster"):
        cluster.kill(1)
    with pytest.raises(NoClusterError, match="lost its keeper"):
        Cluster.attach(cluster.directory)
    assert cluster.directory in statefile.sweep()
    assert is_gone(cluster.directory, state)


def test_sweeping_leaves_living_clusters_alone(cluster):
    assert cluster.directory not in statefile.sweep()
    assert cluster.directory.exists()


def test_two_labs_at_once(cluster, private_cluster):
    other = private_cluster(brokers=1)
    assert not set(other.bootstrap_servers.split(",")) & set(cluster.bootstrap_servers.split(","))
    other.create_topic("only-there")
    assert "only-there" not in cluster.topics()
    other.stop()
    cluster.heal()


def test_up_attach_down(own_state, monkeypatch):
    monkeypatch.delenv("KAFKALAB_CLUSTER", raising=False)
    assert down() is False
    with pytest.raises(NoClusterError, match="kafkalab up"):
        Cluster.attach()
    code = "from kafkalab.cluster import up; up(brokers=1)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    try:
        attached = Cluster.attach()
        attached.create_topic("outlives-its-maker")
        assert up().directory == find().directory == attached.directory
        state = statefile.read(attached.directory)
    finally:
        assert down() is True
    assert is_gone(clusters_dir() / "up", state)
    with pytest.raises(NoClusterError):
        Cluster.attach()


def test_a_child_process_attaches_by_the_environment(cluster):
    code = "from kafkalab.cluster import Cluster; print(Cluster.attach().bootstrap_servers)"
    environment = os.environ | {"KAFKALAB_CLUSTER": str(cluster.directory)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == cluster.bootstrap_servers


def test_stopping_twice_and_files_are_private(private_cluster):
    cluster = private_cluster(brokers=1)
    if os.name == "posix":
        assert cluster.directory.stat().st_mode & 0o077 == 0
        assert (cluster.directory / statefile.KEY_FILE).stat().st_mode & 0o077 == 0
    cluster.stop()
    cluster.stop()
    assert not cluster.directory.exists()


def test_a_wrong_key_is_turned_away_and_the_keeper_lives_on(cluster, tmp_path):
    (tmp_path / statefile.STATE_FILE).write_text((cluster.directory / statefile.STATE_FILE).read_text())
    (tmp_path / statefile.KEY_FILE).write_bytes(b"guessed")
    with pytest.raises(KeeperGoneError):
        Cluster.attach(tmp_path).kill(1)
    assert cluster.status().nodes[1].state == "running"


def test_a_port_taken_while_a_broker_is_down_is_named(private_cluster):
    cluster = private_cluster(backend="embedded", brokers=1)
    port = cluster.status().nodes[1].port
    cluster.kill(1)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(PortTakenError, match=rf"Port {port} of broker 1 is held by .*{os.getpid()}"):
            cluster.restart(1)
    cluster.restart(1)
    assert cluster.status().nodes[1].port == port


def test_memory_of_a_lab_stays_below_700_mb(private_cluster):
    cluster = private_cluster(backend="embedded")
    cluster.create_topic("memory", partitions=3)
    megabytes = [node.rss // 1_000_000 for node in cluster.status().nodes]
    assert sum(megabytes) < 700, megabytes


def test_kafkas_own_jvm_flags_for_benches(private_cluster):
    cluster = private_cluster(backend="embedded", brokers=1, profile="kafka")
    (broker,) = [
        p for p in psutil.Process(statefile.read(cluster.directory).keeper.pid).children() if is_broker(p)
    ]
    assert "-Xmx1G" in broker.cmdline()
    cluster.create_topic("kafka-profile")


def is_broker(process: psutil.Process) -> bool:
    return any("/1/server.properties" in Path(argument).as_posix() for argument in process.cmdline())
