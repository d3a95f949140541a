"""Which jars an embedded node needs: the committed lock file, and their places in the user's cache.

Rules: a lock file names exact artifacts with size and SHA-256 (lock.py writes it): jars.lock those of a node,
tools.lock what Kafka's tools need beyond them (tools.py). A file in the cache is right, because download.py
checks it before it gets its name there.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from kafkalab import KAFKA_VERSION
from kafkalab.cluster.home import cache_dir

LOCK_FILE = Path(__file__).with_name("jars.lock")
TOOLS_LOCK_FILE = Path(__file__).with_name("tools.lock")


class Jar(NamedTuple):
    """One line of the lock file."""

    group: str
    artifact: str
    version: str
    size: int
    """Bytes."""
    sha256: str

    @property
    def filename(self) -> str:
        """The name that the file has in the registry and in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    def line(self) -> str:
        """Render as it stands in the lock file."""
        return f"{self.group}:{self.artifact}:{self.version} {self.size} {self.sha256}"


def parse(line: str) -> Jar:
    """Read one line of the lock file."""
    coordinates, size, sha256 = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, int(size), sha256)


@cache
def locked(lock_file: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """Return all jars of a lock file, in class path order."""
    lines = lock_file.read_text().splitlines()
    return tuple(parse(line) for line in lines if line and not line.startswith("#"))


def jars_dir() -> Path:
    """Return the directory of the jars in the cache; not necessarily existing yet."""
    return cache_dir() / f"kafka-{KAFKA_VERSION}"


def missing(lock_file: Path = LOCK_FILE) -> list[Jar]:
    """Return the jars of a lock file that the cache does not hold yet."""
    return [jar for jar in locked(lock_file) if not (jars_dir() / jar.filename).exists()]


def class_path(lock_file: Path = LOCK_FILE) -> list[Path]:
    """Return every jar's path in the cache, in a fixed order (AOT caches depend on it)."""
    return [jars_dir() / jar.filename for jar in locked(lock_file)]
