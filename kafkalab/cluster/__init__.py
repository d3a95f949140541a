"""Real brokers behind one interface: containers, embedded processes or somebody else's cluster.

Names are loaded on first use: the keeper (keeper.py) must start quickly and needs nothing that talks to
brokers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.cluster.brokers import Offsets
    from kafkalab.cluster.cluster import Cluster
    from kafkalab.cluster.errors import (
        BackendChoiceError,
        CacheError,
        ChecksumError,
        ClusterError,
        DownloadError,
        EngineError,
        ImageError,
        KeeperGoneError,
        NoClusterError,
        NodeDiedError,
        NodeStateError,
        NotPossibleError,
        PortTakenError,
        TooOldError,
        UnknownNodeError,
        UnreachableError,
        WaitTimeoutError,
    )
    from kafkalab.cluster.reading import LogRecord
    from kafkalab.cluster.running import CLUSTER_VARIABLE, down, find, up
    from kafkalab.cluster.status import ClusterStatus, NodeStatus

__all__ = [
    "CLUSTER_VARIABLE",
    "BackendChoiceError",
    "CacheError",
    "ChecksumError",
    "Cluster",
    "ClusterError",
    "ClusterStatus",
    "DownloadError",
    "EngineError",
    "ImageError",
    "KeeperGoneError",
    "LogRecord",
    "NoClusterError",
    "NodeDiedError",
    "NodeStateError",
    "NodeStatus",
    "NotPossibleError",
    "Offsets",
    "PortTakenError",
    "TooOldError",
    "UnknownNodeError",
    "UnreachableError",
    "WaitTimeoutError",
    "down",
    "find",
    "up",
]

_NAMES = {
    "brokers": ("Offsets",),
    "cluster": ("Cluster",),
    "errors": (
        "BackendChoiceError",
        "CacheError",
        "ChecksumError",
        "ClusterError",
        "DownloadError",
        "EngineError",
        "ImageError",
        "KeeperGoneError",
        "NoClusterError",
        "NodeDiedError",
        "NodeStateError",
        "NotPossibleError",
        "PortTakenError",
        "TooOldError",
        "UnknownNodeError",
        "UnreachableError",
        "WaitTimeoutError",
    ),
    "reading": ("LogRecord",),
    "running": (
        "CLUSTER_VARIABLE",
        "down",
        "find",
        "up",
    ),
    "status": (
        "ClusterStatus",
        "NodeStatus",
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"kafkalab.cluster has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"kafkalab.cluster.{_HOMES[name]}"), name)
