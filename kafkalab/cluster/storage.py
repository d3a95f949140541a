"""A node's data directory before its first start, without running `kafka-storage.sh format` every time.

Rules: a formatted controller is meta.properties and one bootstrap checkpoint that finalises the release's
features (metadata.version, transaction.version, ...). The checkpoint holds no node or cluster id and belongs
to one Kafka version, so one real `format` gives it once; the cache keeps it and it is copied from there.
Brokers need meta.properties alone.
"""

from pathlib import Path

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.backend import NodeSpec
from kafkalab.cluster.home import cache_dir
from kafkalab.cluster.properties import meta_properties

CHECKPOINT_IN_DATA_DIR = "bootstrap.checkpoint"
"""As Kafka 4.3 names it (with static voters); 4.4 puts it into the metadata log's directory instead."""


def kept_checkpoint() -> Path:
    """Return where the cache keeps this Kafka version's bootstrap checkpoint; the file may not exist yet."""
    return cache_dir() / f"bootstrap-{KAFKA_VERSION}.checkpoint"


def initial_files(node: NodeSpec) -> dict[str, bytes]:
    """Return relative path -> content of what belongs into the node's empty data directory.

    The cache must hold the checkpoint already (a back end's prepare() sees to that).
    """
    meta = meta_properties(node.cluster_id, node.node_id, node.directory_id)
    files = {"meta.properties": meta.encode()}
    if node.role == "controller":
        files[CHECKPOINT_IN_DATA_DIR] = kept_checkpoint().read_bytes()
    return files
