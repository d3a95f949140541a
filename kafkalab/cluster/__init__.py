"""Real brokers behind one interface: containers, embedded processes or somebody else's cluster."""

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
