"""Which image the nodes run: one that is there, or one that is pulled now.

Rules
- KAFKALAB_IMAGE names one and no other is looked at. Else the locally built one goes first, because somebody
  built it on purpose and it starts faster; then Apache's own.
- A pull shows progress and gives up soon: a lesson must not wait for a registry that is slow or out of reach.

Left out: building (image.py).
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import docker.errors
import requests
from docker.auth import get_config_header, resolve_repository_name
from docker.client import DockerClient
from docker.utils.utils import parse_repository_tag
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.engine import PROBE_TIMEOUT, engine
from kafkalab.cluster.errors import ImageError

IMAGE_VARIABLE = "KAFKALAB_IMAGE"
OFFICIAL = f"apache/kafka:{KAFKA_VERSION}"
LOCAL = f"kafkalab/kafka:{KAFKA_VERSION}"

PULL_TIMEOUT = 180.0
"""Seconds for a whole pull (some 200 MB)."""
STALL_TIMEOUT = 20.0
"""Seconds without any news from the registry."""


def present(client: DockerClient) -> str | None:
    """Return the image to run if the engine has it already."""
    override = os.environ.get(IMAGE_VARIABLE)
    names = [override] if override else [LOCAL, OFFICIAL]
    return next((name for name in names if _has(client, name)), None)


def _has(client: DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        return False
    return True


def to_pull() -> str:
    """Return the image that a pull would be for."""
    return os.environ.get(IMAGE_VARIABLE) or OFFICIAL


def pullable(client: DockerClient) -> bool:
    """Whether the registry answers for that image at once, so that a pull is worth trying."""
    try:
        client.images.get_registry_data(to_pull())
    except (docker.errors.DockerException, requests.RequestException):
        return False
    return True


def why_none() -> str | None:
    """Return None when an image is there or can be pulled, else why not; takes two seconds at most."""
    with engine(PROBE_TIMEOUT) as client:
        if present(client) or pullable(client):
            return None
    return _missing(to_pull(), "the registry does not answer")


def ensure(console: Console) -> str:
    """Return the name of an image that the engine has, pulling it with progress if need be.

    Raises ImageError, which names the ways out, and EngineError.
    """
    with engine() as client:
        name = present(client)
    return name or pull(to_pull(), console)


def pull(name: str, console: Console, timeout: float = PULL_TIMEOUT, stall: float = STALL_TIMEOUT) -> str:
    """Pull `name` with progress; give up after `timeout` seconds, or `stall` seconds without news."""
    deadline = time.monotonic() + timeout
    sizes: dict[str, tuple[int, int]] = {}
    try:
        with engine(stall) as client, _bar(console) as progress:
            bar = progress.add_task(f"Pulling {name} (once)", total=None)
            for event in _pull_events(client, name, stall):
                _follow(event, sizes)
                done, total = (sum(column) for column in zip((0, 0), *sizes.values(), strict=True))
                progress.update(bar, completed=done, total=total or None)
                if time.monotonic() > deadline:
                    raise ImageError(_missing(name, f"it was not pulled within {timeout:g} s"))
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise ImageError(_missing(name, f"it cannot be pulled: {error}")) from error
    return name


def _pull_events(client: DockerClient, name: str, stall: float) -> Iterator[Mapping[str, Any]]:
    """Yield the engine's news; docker-py's own pull() would wait for them without end."""
    repository, tag = parse_repository_tag(name)
    registry, _ = resolve_repository_name(repository)
    login = get_config_header(client.api, registry)
    with client.api.post(
        f"{client.api.base_url}/v{client.api.api_version}/images/create",
        params={"fromImage": repository, "tag": tag or "latest"},
        headers={"X-Registry-Auth": login} if login else None,
        stream=True,
        timeout=stall,
    ) as response:
        if not response.ok:
            raise docker.errors.DockerException(response.json()["message"])
        for line in response.iter_lines():
            yield json.loads(line)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(*columns, console=console, transient=True)


def _follow(event: Mapping[str, Any], sizes: dict[str, tuple[int, int]]) -> None:
    """Note one layer's progress; an error arrives as an event too."""
    if "error" in event:
        raise docker.errors.DockerException(event["error"])
    detail = event.get("progressDetail") or {}
    if event.get("status") == "Downloading" and "total" in detail:
        sizes[event["id"]] = (detail["current"], detail["total"])


def _missing(name: str, reason: str) -> str:
    return (
        f"The Docker engine has no image {name}, and {reason}. Build one here, without a registry: "
        f"`kafkalab up --build-image` (or name another by {IMAGE_VARIABLE}), or run without Docker: "
        "KAFKALAB_BACKEND=embedded."
    )
