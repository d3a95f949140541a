"""What a learner has predicted, solved and finished: one small JSON file beside the working copy.

Rules: a missing or broken file is an empty one (progress is never worth an error in a lesson, and the broken
one is put aside with a warning, not written over); writes are atomic; `KAFKALAB_PROGRESS=off` keeps
everything in memory, so that committed notebooks show a course nobody has taken yet;
`KAFKALAB_PROGRESS=/path/file.json` names the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
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
        self._values = _load(path)

    def get(self, key: str) -> Any:
        """Return what was kept under `key`, or None."""
        return self._values.get(key)

    def under(self, prefix: str) -> dict[str, Any]:
        """Return what was kept under `prefix`/..., by the rest of the key."""
        start = f"{prefix}/"
        return {key[len(start) :]: value for key, value in self._values.items() if key.startswith(start)}

    def put(self, key: str, value: Any) -> None:
        """Keep `value` (JSON data) under `key`."""
        # Another chapter's kernel may have written since: merge into what is there now.
        self._values = (
            _load(self.path) | self._values | {key: value} if self.path else self._values | {key: value}
        )
        if self.path:
            _save(self.path, self._values)


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


def _load(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except ValueError:
        values = None
    if isinstance(values, dict):
        return values
    _put_aside(path)
    return {}


def _put_aside(path: Path) -> None:
    aside = path.with_suffix(".broken.json")
    with contextlib.suppress(OSError):
        path.replace(aside)
        warnings.warn(
            f"{path} cannot be read; it was kept as {aside.name}, and a new one begins.", stacklevel=4
        )


def _save(path: Path, values: dict[str, Any]) -> None:
    # A full or read-only disk must not stop a lesson: the values live on in memory.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".progress-", suffix=".json")
        os.close(handle)
        Path(name).write_text(json.dumps(values, indent=1, sort_keys=True), encoding="utf-8")
        Path(name).replace(path)
