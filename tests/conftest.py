"""One real cluster for the whole session, shared by tests and by the kernels of notebooks.

It starts when the first test or notebook needs it and is named in KAFKALAB_CLUSTER, which kernels and other
child processes inherit. KAFKALAB_BACKEND chooses what it runs on.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import needs
import pytest
from secured import SecuredBroker, secured_broker

from kafkalab.cluster import CLUSTER_VARIABLE, Cluster

TIMED_NOTEBOOKS = ("11_optimization.ipynb",)


class SharedCluster:
    """A pytest plugin, so that it sees notebooks outside this directory too."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    def get(self) -> Cluster:
        """Start at the first call."""
        if self._cluster is None:
            self._cluster = Cluster.start()
            if self._cluster.directory is not None:
                os.environ[CLUSTER_VARIABLE] = str(self._cluster.directory)
        return self._cluster

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Have the cluster up before nbval starts a notebook's kernel."""
        if item.path.suffix == ".ipynb":
            self.get()

    def pytest_unconfigure(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
            os.environ.pop(CLUSTER_VARIABLE, None)


SHARED = pytest.StashKey[SharedCluster]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cycles", type=int, default=1, help="start/kill/restart/stop cycles of test_leaks.py")


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python leaves to the collector: both ends of its wake-up pipe (a Unix socket pair), and sockets
    # that could not connect to a dead broker (bound to 0.0.0.0). Our own sockets are bound to the loopback.
    for left in ("family=1,", r"family=2,.*laddr=\('0\.0\.0\.0'"):
        config.addinivalue_line(
            "filterwarnings", rf"ignore:unclosed <socket.socket fd=\d+, {left}:ResourceWarning"
        )
    # Kernels of notebooks inherit it: committed chapters show a course that nobody has taken yet.
    os.environ["KAFKALAB_PROGRESS"] = "off"
    config.stash[SHARED] = SharedCluster()
    config.pluginmanager.register(config.stash[SHARED], "kafkalab-shared-cluster")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in TIMED_NOTEBOOKS:
            item.add_marker("alone")


def pytest_runtest_setup(item: pytest.Item) -> None:
    needs.demand(item)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The session's cluster; healed before each test that uses it."""
    return request.config.stash[SHARED].get()


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker that wants TLS, a login or both; see secured.py."""
    with secured_broker(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> None:
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster").heal()


@pytest.fixture
def private_cluster() -> Iterator[Callable[..., Cluster]]:
    """A factory of clusters that end with the test; arguments as for Cluster.start()."""
    started: list[Cluster] = []

    def start(**arguments: Any) -> Cluster:
        started.append(Cluster.start(**arguments))
        return started[-1]

    yield start
    for one in started:
        one.stop()
