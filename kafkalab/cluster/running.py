"""Clusters that outlive a process: `kafkalab up`, `down`, and finding the one to attach to.

Rules: `up` keeps its cluster in the state directory named "up", so that attach() finds it without any
environment. KAFKALAB_CLUSTER (a path) comes first: the lab server and pytest set it for their children.
"""

import os
from pathlib import Path

from rich.console import Console

from kafkalab.cluster import choice, starting, statefile
from kafkalab.cluster.backend import Profile
from kafkalab.cluster.errors import BackendChoiceError, NoClusterError
from kafkalab.cluster.home import clusters_dir
from kafkalab.cluster.keeping import Keeping

CLUSTER_VARIABLE = "KAFKALAB_CLUSTER"
UP = "up"


def find(directory: Path | str | None = None) -> Keeping:
    """Return the handle of a running cluster.

    Looked for in `directory`, else in KAFKALAB_CLUSTER, else where `kafkalab up` keeps its own.
    Raises NoClusterError.
    """
    place = Path(directory or os.environ.get(CLUSTER_VARIABLE) or clusters_dir() / UP)
    try:
        keeping = Keeping(place)
    except FileNotFoundError:
        raise NoClusterError(
            f"No cluster runs in {place}. `kafkalab up` starts one to attach to; Cluster.start() starts one "
            f"that ends with the process; {CLUSTER_VARIABLE} names the state directory of another."
        ) from None
    if not statefile.is_alive(keeping.state):
        raise NoClusterError(
            f"The cluster in {place} has lost its keeper and its nodes with it. "
            "Start a new one: `kafkalab up`."
        )
    return keeping


def up(
    brokers: int = 3,
    backend: str | None = None,
    profile: Profile = "lab",
    console: Console | None = None,
) -> Keeping:
    """Start a cluster that outlives this process, or return the one that `up` started before.

    Raises what Cluster.start() raises.
    """
    console = console or Console(stderr=True)
    try:
        return find(clusters_dir() / UP)
    except NoClusterError:
        chosen = choice.choose(backend)
    if chosen.name == "external":
        raise BackendChoiceError(
            "An external cluster is up already and not ours to start: use it by Cluster.connect(), "
            "or unset KAFKALAB_BOOTSTRAP and KAFKALAB_BACKEND."
        )
    console.print(f"kafkalab: {chosen.name} ({chosen.reason})", highlight=False)
    plan = starting.Plan(chosen.name, brokers, profile, name=UP, or_else=chosen.or_else)
    keeping = starting.start(plan, console)
    keeping.detach()
    return keeping


def down() -> bool:
    """Stop the cluster that `up` started; False when there was none."""
    try:
        keeping = find(clusters_dir() / UP)
    except NoClusterError:
        statefile.sweep()
        return False
    keeping.stop()
    return True
