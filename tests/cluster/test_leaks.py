"""Start, kill, restart, stop, again and again: no process, port, file or container stays."""

import gc
from pathlib import Path

import psutil
import pytest
from leftovers import left_of

from kafkalab.cluster import Cluster, choice
from kafkalab.cluster.home import cache_dir, clusters_dir
from kafkalab.cluster.ports import is_free

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(0)]
CYCLE_S = 120.0


@pytest.fixture
def lived_in(own_state, console):
    """The cache is full and what is imported late is imported, whatever ran before."""
    Cluster.start(brokers=1, backend=choice.choose().name, console=console).stop()


def files() -> set[Path]:
    """All files and directories of cache and state."""
    return {path for root in (cache_dir(), clusters_dir()) if root.is_dir() for path in root.iterdir()}


def handles() -> int:
    """Open files and sockets of this process, without those that only wait to be collected."""
    gc.collect()
    me = psutil.Process()
    return me.num_fds() if hasattr(me, "num_fds") else me.num_handles()


def descendants() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def test_cycles_leave_nothing_behind(request, console, lived_in):
    backend = choice.choose().name
    before, most_handles = (files(), descendants()), handles()
    for _ in range(request.config.getoption("--cycles")):
        cluster_id, ports = one_cycle(backend, console)
        assert [port for port in ports if not is_free(port)] == []
        assert backend != "containers" or left_of(cluster_id) == []
        assert (files(), descendants()) == before
        assert handles() <= most_handles  # fewer: what an earlier test of this process left has ended


def one_cycle(backend: str, console) -> tuple[str, list[int]]:
    """One life with faults; return its name and its ports."""
    with Cluster.start(brokers=2, backend=backend, console=console) as cluster:
        cluster.create_topic("leaks", replication_factor=2)
        cluster.kill(1)
        cluster.restart(1)
        cluster.pause(2)
        cluster.kill(2)
        cluster.heal()
        assert cluster.leader("leaks", 0) == 1
        ports = [int(address.rpartition(":")[2]) for address in cluster.bootstrap_servers.split(",")]
        return cluster.directory.name, ports


def test_a_failed_start_leaves_nothing_behind(monkeypatch, console, lived_in):
    from kafkalab.cluster import WaitTimeoutError, starting

    before = files(), descendants()

    def impatient(nodes):
        raise WaitTimeoutError("no patience")

    monkeypatch.setattr(starting, "await_ready", impatient)
    with pytest.raises(WaitTimeoutError, match="no patience"):
        Cluster.start(brokers=1, backend=choice.choose().name, console=console)
    assert (files(), descendants()) == before


def test_ctrl_c_during_the_start_leaves_nothing_behind(monkeypatch, console, lived_in):
    from kafkalab.cluster import starting

    def interrupted(nodes):
        raise KeyboardInterrupt

    before = files(), descendants()
    monkeypatch.setattr(starting, "await_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Cluster.start(brokers=1, backend=choice.choose().name, console=console)
    assert (files(), descendants()) == before
