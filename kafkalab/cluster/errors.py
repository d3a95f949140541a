"""What can go wrong with a cluster, each as one exception class.

Rules: every message names the value, what is expected and the fix. Each class takes one finished message,
so that an error raised inside the keeper crosses to the caller unchanged (it is pickled).
Left out: errors of the Kafka protocol, which are raised as kafka-python's own ``kafka.errors``.
"""


class ClusterError(Exception):
    """Base of everything that the cluster layer raises on purpose."""


class BackendChoiceError(ClusterError, ValueError):
    """KAFKALAB_BACKEND (or ``backend=``) names nothing known, or what it names cannot be used here."""


class DownloadError(ClusterError):
    """Something needed for the first start could not be fetched: no network, no registry, no mirror."""


class ChecksumError(DownloadError):
    """A fetched file is not the one that the lock file names."""


class CacheError(ClusterError):
    """The cache or state directory cannot be written, or its disk is nearly full."""


class EngineError(ClusterError):
    """No container engine answers, or it refused an order."""


class ImageError(ClusterError):
    """The Kafka image is missing and can neither be pulled nor built."""


class PortTakenError(ClusterError):
    """A port that a node needs is held by another process."""


class NodeDiedError(ClusterError):
    """A node ended although nobody killed it; the message carries the tail of its log."""


class UnknownNodeError(ClusterError, ValueError):
    """A node id that this cluster does not have."""


class NodeStateError(ClusterError):
    """A verb does not fit the node's state, such as pausing a dead broker."""


class WaitTimeoutError(ClusterError, TimeoutError):
    """A condition did not come true in time; the message carries the last state seen."""


class UnreachableError(ClusterError, ConnectionError):
    """No broker answers at the given addresses."""


class TooOldError(ClusterError):
    """The cluster runs a Kafka that lacks what the course needs."""


class NotPossibleError(ClusterError):
    """A verb that such a cluster cannot do, such as killing a broker that somebody else runs."""


class NoClusterError(ClusterError):
    """There is no running cluster to attach to."""


class KeeperGoneError(ClusterError):
    """The process that keeps the nodes has ended."""


class JavaToolError(ClusterError):
    """A tool of Kafka's, or a Java program of ours, failed or took too long; the message has its words."""
