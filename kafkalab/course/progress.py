"""What a learner has predicted, solved and finished: one small JSON file beside the working copy.

    {"kafkalab-progress": 1, "01/predict/leader": "broker 2", "01/done": true, ...}

Rules
- Progress is never worth an error in a lesson: what is wrong with the file is a warning, and what this kernel
  learns lives on in memory.
- Nothing is lost: a broken file is kept aside under a new name; one of a newer kafkalab stays as it is; while
  one cannot be read, what is new waits in memory.
- Several kernels share the file: a write merges what this kernel has put into what is there, one kernel at a
  time, and the file is replaced as a whole. Who deletes it begins again.
- `KAFKALAB_PROGRESS=off` keeps everything in memory, so that committed notebooks show a course nobody has
  taken yet; `KAFKALAB_PROGRESS=/path/file.json` names the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

MARKER = ".kafkalab"
"""Directory that makes a directory a working copy; holds its manifest and the learner's progress."""
NO_SOLUTIONS = "no-solutions"
"""File in it that says: this copy shows no solutions."""
FORMAT, VERSION = "kafkalab-progress", 1
"""Key of the file's version; a file without one is of version 1, from before it was written down."""
PATIENCE_S = 5.0
"""A write takes milliseconds: whoever holds the lock longer has died over it."""


class NewerError(Exception):
    """A newer kafkalab wrote the file; the message says what to do."""


class Progress:
    """Values by key ("01/predict/leader"), kept in `path` or, where that is None, in memory only."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._unsaved: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        try:
            self._values = self._read()
        except OSError as error:
            why = error.strerror or error
            warnings.warn(f"{path} cannot be read ({why}): make it readable.", stacklevel=3)

    def get(self, key: str) -> Any:
        """Return what was kept under `key`, or None."""
        return self._values.get(key)

    def under(self, prefix: str) -> dict[str, Any]:
        """Return what was kept under `prefix`/..., by the rest of the key."""
        start = f"{prefix}/"
        return {key[len(start) :]: value for key, value in self._values.items() if key.startswith(start)}

    def put(self, key: str, value: Any) -> None:
        """Keep `value` (JSON data) under `key`."""
        self._unsaved[key] = value
        self._values[key] = value
        # A full disk, or a file that somebody holds, must not stop a lesson: the next put() tries again.
        with contextlib.suppress(OSError):
            self._save()

    def _save(self) -> None:
        if self.path is None:
            return
        with _alone(self.path):
            self._values = self._read() | self._unsaved
            if self.path is not None:
                text = json.dumps(self._values | {FORMAT: VERSION}, indent=1, sort_keys=True)
                replace_text(self.path, text)
                self._unsaved = {}

    def _read(self) -> dict[str, Any]:
        """Return what the file holds now; where it holds nothing usable, what is known here."""
        try:
            values = _load(self.path)
        except NewerError as error:
            warnings.warn(str(error), stacklevel=4)
            self.path = None
            values = None
        return self._values if values is None else values


def open_progress() -> Progress:
    """Return the learner's progress, found from the environment or the current directory."""
    return Progress(_path())


def working_copy() -> Path | None:
    """Return the working copy that the current directory lies in; None if it lies in none."""
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / MARKER).is_dir()), None)


def _path() -> Path | None:
    wish = os.environ.get("KAFKALAB_PROGRESS", "")
    if wish:
        return None if wish == "off" else Path(wish)
    if copy := working_copy():
        return copy / MARKER / "progress.json"
    home = os.environ.get("KAFKALAB_HOME")
    return (Path(home) if home else platformdirs.user_data_path("kafkalab")) / "progress.json"


def _load(path: Path | None) -> dict[str, Any] | None:
    """Return the file's values, {} if there is none, None for a broken one, which is put aside.

    Raises OSError where it cannot be read now, NewerError.
    """
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editor puts a mark in front
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError:
        values = None
    if not isinstance(values, dict):
        _put_aside(path)
        return None
    if (version := values.pop(FORMAT, VERSION)) != VERSION:
        raise NewerError(
            f"{path} is of format {version!r}, this kafkalab reads {VERSION}: install the newer one again. "
            "Until then nothing is kept."
        )
    return values


def _put_aside(path: Path) -> None:
    names = (path.with_suffix(f".broken{number}.json") for number in ("", *range(2, 1000)))
    aside = next(name for name in names if not name.exists())
    with contextlib.suppress(OSError):
        path.replace(aside)
        warnings.warn(
            f"{path} cannot be read; it was kept as {aside.name}, and a new one begins.", stacklevel=5
        )


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock beside `path`; OSError where none can be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, end = path.with_suffix(".lock"), time.monotonic() + 4 * PATIENCE_S
    while not _locked(lock):
        if time.monotonic() > end:
            raise TimeoutError(f"{lock} is held by others.")
        time.sleep(0.005)  # a file that goes away tells nobody
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()


def _locked(lock: Path) -> bool:
    """Take the lock if it is free, or as old as one whose holder has died; tell whether it was taken."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        return True
    with contextlib.suppress(FileNotFoundError):
        if time.time() - lock.stat().st_mtime > PATIENCE_S:
            os.utime(lock)
            return True
    return False


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path`: whoever reads it sees the old file or the new one, never a part."""
    # Not by mkstemp: that one's files are for their owner only, and a teacher is to read what is handed in.
    new = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
