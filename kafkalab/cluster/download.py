"""Fetch Kafka's jars into the user's cache.

Rules
- Each artifact is fetched by itself through jgo, which knows the registry; nothing is resolved here.
- A file enters the cache only after its SHA-256 was checked, by one atomic rename. A broken download
  leaves nothing behind, and two processes may fetch at once.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import requests
from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.errors import ChecksumError, DownloadError
from kafkalab.cluster.home import HOME_VARIABLE, cache_dir, scratch, with_room, writable
from kafkalab.cluster.jars import Jar, jars_dir

AT_ONCE = 8
TIMEOUT_S = 30


def fetch(jars: Sequence[Jar], console: Console) -> None:
    """Fetch `jars` into the cache, in parallel, with progress.

    Raises DownloadError (no network), ChecksumError, CacheError (not writable, disk nearly full).
    """
    with_room(writable(jars_dir()), 3 * sum(jar.size for jar in jars))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            label = f"Fetching Kafka {KAFKA_VERSION} (once, {len(jars)} jars)"
            task = progress.add_task(label, total=sum(jar.size for jar in jars))
            for order in as_completed([pool.submit(fetch_one, jar) for jar in jars]):
                progress.advance(task, order.result().size)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def fetch_one(jar: Jar) -> Jar:
    """Fetch one jar into the cache and check it; return it."""
    with scratch() as directory:
        path = _download(jar, directory)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != jar.sha256:
            raise ChecksumError(
                f"{jar.group}:{jar.artifact}:{jar.version} was fetched with SHA-256 {found}, "
                f"but the lock file says {jar.sha256}. It was not kept. "
                "A proxy or mirror may have altered it: try another network."
            )
        path.replace(jars_dir() / jar.filename)
    return jar


def _download(jar: Jar, directory: Path) -> Path:
    context = MavenContext(repo_cache=directory, timeout=TIMEOUT_S)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        return Path(artifact.resolve())
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise DownloadError(
            f"{jar.group}:{jar.artifact}:{jar.version} could not be fetched: {error}. "
            "The first start of the embedded Kafka needs the network once (45 MB). "
            f"Offline, copy {cache_dir()} from a machine that has it, "
            f"or set {HOME_VARIABLE} to a directory that holds such a copy as `cache`."
        ) from error
