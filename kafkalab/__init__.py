"""kafkalab: the Apache Kafka producer, taken apart and put together on real brokers.

    from kafkalab import Cluster, FaultProxy, Producer, Sent, audit

Names are loaded on first use: the producer knows nothing of clusters, and importing it starts nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.cluster import Cluster
    from kafkalab.faults import FaultProxy, Sent, audit
    from kafkalab.producer import Producer

__version__ = "0.1.0"

KAFKA_VERSION = "4.3.1"
"""The Apache Kafka release every back end runs (jar lock, image tag and feature levels follow it)."""

__all__ = ["KAFKA_VERSION", "Cluster", "FaultProxy", "Producer", "Sent", "__version__", "audit"]

_HOMES = {
    "Cluster": "kafkalab.cluster",
    "FaultProxy": "kafkalab.faults",
    "Producer": "kafkalab.producer",
    "Sent": "kafkalab.faults",
    "audit": "kafkalab.faults",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"kafkalab has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)
