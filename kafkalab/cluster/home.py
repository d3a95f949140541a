"""Where the cluster layer keeps files: a cache that outlives clusters and one state directory per cluster.

Rules: both lie where the platform wants them (platformdirs); KAFKALAB_HOME moves both below one directory,
which tests use to get an empty home. The cache is written atomically and may be deleted at any time while
no cluster runs.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import psutil

from kafkalab.cluster.errors import CacheError

HOME_VARIABLE = "KAFKALAB_HOME"
SCRATCH = ".scratch-"
SCRATCH_S = 3600.0


def cache_dir() -> Path:
    """Return the directory of jars, images' stages and AOT caches; not necessarily existing yet."""
    home = os.environ.get(HOME_VARIABLE)
    return Path(home) / "cache" if home else platformdirs.user_cache_path("kafkalab")


def clusters_dir() -> Path:
    """Return the directory that holds one state directory per cluster; not necessarily existing yet."""
    home = os.environ.get(HOME_VARIABLE)
    state = Path(home) / "state" if home else platformdirs.user_state_path("kafkalab")
    return state / "clusters"


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a directory inside the cache, so that what is made there can be renamed into place."""
    with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=SCRATCH) as directory:
        yield Path(directory)


def sweep_scratch() -> None:
    """Remove the scratch directories that killed processes left in the cache an hour ago or earlier."""
    for directory in cache_dir().glob(f"{SCRATCH}*"):
        if time.time() - directory.stat().st_mtime > SCRATCH_S:
            shutil.rmtree(directory, ignore_errors=True)


def writable(directory: Path) -> Path:
    """Make `directory` (and parents), or raise CacheError saying what stands in the way."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CacheError(
            f"{directory} cannot be written ({error.strerror}). kafkalab keeps jars and cluster data there: "
            f"make it writable, or set {HOME_VARIABLE} to a directory that is."
        ) from error
    return directory


def with_room(directory: Path, needed: int) -> Path:
    """Return `directory` when its disk has `needed` bytes free, or raise CacheError."""
    free = psutil.disk_usage(str(directory)).free
    if free < needed:
        raise CacheError(
            f"The disk of {directory} is nearly full: {free / 1e6:.0f} MB free, "
            f"kafkalab needs {needed / 1e6:.0f} MB. Free some, "
            f"or set {HOME_VARIABLE} to a directory on another disk."
        )
    return directory
