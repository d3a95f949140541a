"""Short runs of a Kafka image: what is needed once, before a first cluster.

- `format_controller`: Kafka's own `kafka-storage format`, for the checkpoint that finalises the features.
- `train`: one start and clean end of a node, which makes the JDK (25 and later) write an AOT cache.

Rules: a run has no network but its own loopback, is owned by this process (labels), and is removed whatever
happens. Left out: everything that lasts (containers.py).
"""

import contextlib
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence

import docker.errors
from docker.client import DockerClient
from docker.models.containers import Container

from kafkalab.cluster.backend import Place
from kafkalab.cluster.engine import owner_labels
from kafkalab.cluster.errors import ImageError, WaitTimeoutError
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.properties import as_text, meta_properties, server_properties
from kafkalab.cluster.storage import CHECKPOINT_IN_DATA_DIR

CLASS_PATH = "/opt/kafka/libs/*"
CONFIG = "/etc/kafkalab/server.properties"
LOG_CONFIG = "/etc/kafkalab/log4j2.properties"
DATA = "/var/lib/kafkalab/data"
"""Not Kafka's usual place: in some images that is a volume of appuser's; nodes run as a powerless root."""

_SOME_ID = "AAAAAAAAQACAAAAAAAAAAQ"
_ID = 100
_FORMAT = ["java", "-cp", CLASS_PATH, "kafka.tools.StorageTool", "format", "-t", _SOME_ID, "-c", CONFIG]
_STARTED = "Kafka Server started"
_START_TIMEOUT = 90.0
_STOP_TIMEOUT = 120
"""Seconds for ending the trained node: writing the AOT cache takes about ten on two cores."""


def format_controller(client: DockerClient, image: str) -> bytes:
    """Return the bootstrap checkpoint that the image's Kafka writes when it formats a controller."""
    with _run(client, image, _FORMAT, {CONFIG: as_text(_alone()).encode()}) as container:
        if container.wait()["StatusCode"] != 0:
            raise ImageError(
                f"{image} could not format a controller's storage; is it an Apache Kafka image with jars in "
                f"{CLASS_PATH}? {_tail(container)}"
            )
        return _fetch(container, f"{DATA}/{CHECKPOINT_IN_DATA_DIR}")


def train(client: DockerClient, image: str, flags: Sequence[str], log_config: bytes, output: str) -> bytes:
    """Run a node of `image` once, with `flags` that make it write the file `output`; return that file."""
    files = {
        CONFIG: as_text(_alone()).encode(),
        LOG_CONFIG: log_config,
        f"{DATA}/meta.properties": meta_properties(_SOME_ID, _ID, _SOME_ID).encode(),
        f"{DATA}/{CHECKPOINT_IN_DATA_DIR}": format_controller(client, image),
    }
    with _run(client, image, ["java", *flags, "-cp", CLASS_PATH, "kafka.Kafka", CONFIG], files) as container:
        try:
            wait_until(
                "a node of the new image has started", container.logs, _has_started, timeout=_START_TIMEOUT
            )
        except WaitTimeoutError as error:
            raise ImageError(f"A node of {image} did not start. {_tail(container)}") from error
        container.stop(timeout=_STOP_TIMEOUT)
        return _fetch(container, output)


def _has_started(log: bytes) -> bool:
    return _STARTED.encode() in log


def _alone() -> dict[str, str]:
    """Return the server.properties of a node that is broker and controller at once."""
    place = Place("127.0.0.1", 9094, 9094, "127.0.0.1", 9092, DATA)
    broker = server_properties(_ID, "broker", {_ID: place}, [])
    return broker | {
        "process.roles": "broker,controller",
        "listeners": f"{broker['listeners']},CONTROLLER://127.0.0.1:9093",
        "controller.quorum.voters": f"{_ID}@127.0.0.1:9093",
    }


@contextlib.contextmanager
def _run(
    client: DockerClient, image: str, command: list[str], files: Mapping[str, bytes]
) -> Iterator[Container]:
    container = client.containers.create(
        image,
        command,
        entrypoint=[],
        user="0",
        network_mode="none",
        hostname="localhost",
        labels=owner_labels("one-off"),
    )
    try:
        container.put_archive("/", _tar(files))
        container.start()
        yield container
    finally:
        with contextlib.suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for path, content in files.items():
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _fetch(container: Container, path: str) -> bytes:
    try:
        stream, _ = container.get_archive(path)
    except docker.errors.NotFound as error:
        raise ImageError(
            f"A run of {container.image} did not leave {path} behind. {_tail(container)}"
        ) from error
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        content = archive.extractfile(archive.getmembers()[0])
        return content.read() if content else b""


def _tail(container: Container) -> str:
    log: bytes = container.logs(tail=20)
    return "Its last lines:\n" + log.decode(errors="replace")
