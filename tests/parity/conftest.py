"""Both producers, a topic for each, and a cluster whose log files can be reached."""

import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from sides import Java, Ours

from kafkalab.cluster import Cluster

sys.path.append(str(Path(__file__).parents[1] / "producer"))  # readers.py


@pytest.fixture(scope="session")
def java():
    driver = Java()
    yield driver
    driver.close()


@pytest.fixture
def both(java):
    """Java's producer first: it says what is right."""
    return java, Ours()


@pytest.fixture(scope="module")
def on_disk(request):
    """A cluster whose log files lie on this machine: the shared one, or an embedded one of our own."""
    shared = request.getfixturevalue("cluster")
    if shared.backend == "embedded":
        yield shared
        return
    with Cluster.start(backend="embedded", console=Console(quiet=True)) as own:
        yield own


@pytest.fixture
def make_topic(request):
    """A factory of topics named after the test and a word: `make_topic(cluster, word, **settings)`."""

    def make(cluster, word, config=None, **settings):
        # Whatever a record's timestamp says, it stays, and in the first segment.
        settings["config"] = {"retention.ms": "-1", "segment.ms": str(2**62), **(config or {})}
        name = re.sub(r"[^a-zA-Z0-9]+", "-", f"parity-{request.node.name}-{word}")[-120:].strip("-")
        cluster.recreate_topic(cluster.prefix + name, **settings)
        return cluster.prefix + name

    return make
