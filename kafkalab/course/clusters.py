"""How a chapter gets its cluster: join the one there is, else start one that ends with the kernel.

Order: the cluster named by KAFKALAB_CLUSTER (the lab, the test session, `kafkalab up`), an external one named
by KAFKALAB_BOOTSTRAP, the one of `kafkalab up`, a new one. Only the last shows progress: the first start on
a machine downloads Kafka and may take a minute.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console

_own: list[Any] = []


def join() -> Any:
    """Return a connected cluster; one that had to be started is kept for the rest of this process."""
    if _own:
        return _own[0]
    cluster = running()
    if cluster is None:
        cluster = start()
        _own.append(cluster)
        atexit.register(cluster.stop)
    return cluster


def running() -> Any:
    """Return the cluster that is there already (named by the environment, or `kafkalab up`), or None."""
    from kafkalab.cluster.cluster import Cluster  # noqa: PLC0415 - heavy; static checks never need it
    from kafkalab.cluster.errors import NoClusterError  # noqa: PLC0415

    if os.environ.get("KAFKALAB_BOOTSTRAP"):
        return Cluster.connect()
    try:
        return Cluster.attach()
    except NoClusterError:
        return None


def start() -> Any:
    """Return a new cluster of three brokers, owned by this process; the caller stops it."""
    from kafkalab.cluster.cluster import Cluster  # noqa: PLC0415

    return Cluster.start(brokers=3, console=_console())


def _console() -> Console:
    # In a kernel, rich's own display is a widget that not every front end has; stderr looks like an error.
    in_kernel = "ipykernel" in sys.modules
    return Console(file=sys.stdout, force_jupyter=False) if in_kernel else Console(stderr=True)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let every kernel started inside use one cluster, as a course that nobody has taken yet.

    Uses the cluster that KAFKALAB_CLUSTER or KAFKALAB_BOOTSTRAP names, if any; else starts one and ends it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(environment(KAFKALAB_PROGRESS="off"))
        if not (os.environ.get("KAFKALAB_CLUSTER") or os.environ.get("KAFKALAB_BOOTSTRAP")):
            cluster = stack.enter_context(start())
            stack.enter_context(environment(KAFKALAB_CLUSTER=str(cluster.directory)))
        yield


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables, for child processes, and put back what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
