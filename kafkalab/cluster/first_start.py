"""What an embedded node's first start on a machine needs once: Kafka's own format, and AOT caches.

Rules
- Everything is made in a scratch directory and enters the cache by one atomic rename.
- The bootstrap checkpoint is a must (storage.py says what for). AOT caches only save time: when training
  fails, or a cache is broken later, nodes start without.
- Training is one clean life of a controller and a broker that record what they load (JDK 25, JEP 514).
"""

import subprocess
from pathlib import Path

import psutil
from rich.console import Console

from kafkalab.cluster import healing, java, storage
from kafkalab.cluster.backend import CONTROLLER_ID, NodeSpec
from kafkalab.cluster.brokers import Brokers
from kafkalab.cluster.embedded import Embedded
from kafkalab.cluster.errors import ClusterError
from kafkalab.cluster.home import cache_dir, scratch, with_room, writable
from kafkalab.cluster.keeper import new_id, plan
from kafkalab.cluster.ports import LOOPBACK
from kafkalab.cluster.properties import as_text
from kafkalab.cluster.wire import Address

AOT_BYTES = 400_000_000
TRAINING_S = 120.0


def ensure_checkpoint(console: Console) -> None:
    """Run Kafka's format once and keep what it made. Raises CacheError, ClusterError."""
    if storage.kept_checkpoint().exists():
        return
    writable(cache_dir())
    with console.status("Formatting a first log (once)"), scratch() as directory:
        made = _format(directory)
        made.replace(storage.kept_checkpoint())


def _format(directory: Path) -> Path:
    backend = Embedded(directory)
    controller, _ = plan(backend, new_id(), 1, "lab")
    properties = directory / "server.properties"
    properties.write_text(as_text(controller.properties))
    arguments = ["format", "-t", controller.cluster_id, "-c", str(properties)]
    command = java.command("kafka.tools.StorageTool", arguments, "lab")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = Path(controller.place.data_dir) / storage.CHECKPOINT_IN_DATA_DIR
    if done.returncode or not made.exists():
        raise ClusterError(f"Kafka's format failed ({done.returncode}): {done.stdout}{done.stderr}")
    return made


def ensure_aot(console: Console) -> None:
    """Train the AOT caches if they are missing; on failure say so and go on."""
    wanted = {role: java.aot_cache(role) for role in java.ROLES}
    if all(path.exists() for path in wanted.values()) or not java.can_train():
        return
    try:
        with_room(cache_dir(), AOT_BYTES)
        with (
            console.status("Teaching the JVM to start Kafka quickly (once, about 20 s)"),
            scratch() as directory,
        ):
            _train(directory)
            for path in wanted.values():
                (directory / path.name).replace(path)
    except (ClusterError, OSError, psutil.Error) as error:
        console.print(f"kafkalab: no AOT cache, starts stay slow ({error})", highlight=False)


def _train(directory: Path) -> None:
    """Let a controller and a broker live once, recording; a terminated JVM writes its cache as it ends."""
    backend = Embedded(directory)
    nodes = plan(backend, new_id(), 1, "lab")
    for node in nodes:
        output = directory / java.aot_cache(node.role).name
        backend.extra_flags[node.node_id] = (f"-XX:AOTCacheOutput={output}",)
    try:
        backend.start(nodes)
        _exercise(backend, nodes[-1])
        backend.terminate([node.node_id for node in reversed(nodes)], TRAINING_S)
    finally:
        backend.close()


def _exercise(backend: Embedded, broker: NodeSpec) -> None:
    """Have the broker do what every lab asks first: join, make a topic, answer offsets."""
    address = Address(LOOPBACK, broker.place.published_port)

    def running() -> list[int]:
        dead = [n for n in (CONTROLLER_ID, broker.node_id) if backend.state(n) == "dead"]
        if dead:
            raise ClusterError(f"node {dead[0]} ended: {backend.log_tail(dead[0])}")
        return [broker.node_id]

    brokers = Brokers(lambda: {broker.node_id: address}, running)
    healing.await_members(brokers, TRAINING_S)
    brokers.create_topic("training", (1, 1), {})
    brokers.offsets("training", 0)
