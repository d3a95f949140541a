"""What a learner has predicted, solved and finished: one small JSON file beside the working copy.

Rules: progress is never worth an error in a lesson. A missing file is an empty one; a broken one is put aside
with a warning, never written over; one that is locked is left alone, and what is new waits in memory.
Writes are atomic, and change only what was put: another kernel may have written since.
`KAFKALAB_PROGRESS=off` keeps everything in memory, so that committed notebooks show a course nobody has taken
yet; `KAFKALAB_PROGRESS=/path/file.json` names the file.

Leaves out: a lock. Of two kernels that write in the same millisecond, one value may be lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

import platformdirs

MARKER = ".kafkalab"
"""Directory that makes a directory a working copy; holds its manifest and the learner's progress."""
NO_SOLUTIONS = "no-solutions"
"""File in it that says: this copy shows no solutions."""


class Progress:
    """Values by key ("01/predict/leader"), kept in `path` or, where that is None, in memory only."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._values: dict[str, Any] = {}
        self._unsaved: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            self._values = _load(path) or {}

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
        self._values = self._values | {key: value}
        # A full disk, or a file that is locked, must not stop a lesson: the next put() tries again.
        with contextlib.suppress(OSError):
            self._save()

    def _save(self) -> None:
        if self.path is None:
            return
        now = _load(self.path)
        # Gone means that somebody begins again; broken means that what is known here is all there is.
        self._values = (self._values if now is None else now) | self._unsaved
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(self.path, json.dumps(self._values, indent=1, sort_keys=True))
        self._unsaved = {}


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


def replace_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    draft = path.with_name(
        f".{path.name}-{os.getpid()}.tmp"
    )  # mkstemp would hide it from the teacher's account
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _load(path: Path | None) -> dict[str, Any] | None:
    """Return what is in the file, {} if there is none, None if it was broken; raises OSError."""
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editor puts a mark in front
    except FileNotFoundError:
        return {}
    except ValueError:
        values = None
    if isinstance(values, dict):
        return values
    _put_aside(path)
    return None


def _put_aside(path: Path) -> None:
    names = (path.with_suffix(f".broken{number}.json") for number in ("", *range(2, 1000)))
    aside = next(name for name in names if not name.exists())
    path.replace(aside)
    warnings.warn(f"{path} cannot be read; it was kept as {aside.name}, and a new one begins.", stacklevel=4)
