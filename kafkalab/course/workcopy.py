"""A learner's own copy of the course: without outputs, so that a prediction comes before its answer.

Rules: what a learner has is never overwritten; new notebooks are added; one that changed upstream is written
beside the learner's as `NAME.new-<digest>.ipynb`, and said so. A manifest (`.kafkalab/manifest.json`) knows
what was offered before, so that each version is offered once.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from kafkalab.course import normalise
from kafkalab.course.progress import MARKER, NO_SOLUTIONS

WITHHELD = "exercise.solution() shows nothing in this copy: the teacher holds the solutions. Hints stay."
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass
class Report:
    """What an update did, by file name; `beside` maps a learner's file to its new version."""

    target: Path
    solutions: bool = True
    added: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return the report in words."""
        told = [f"Working copy: {self.target}"]
        if not self.solutions:
            told.append(f"  {WITHHELD} Who looks into the installed package finds them all the same.")
        if self.added:
            told.append(f"  added {', '.join(self.added)}")
        if self.kept:
            told.append(f"  kept yours: {', '.join(self.kept)}")
        told += [
            f"  {mine} has a newer version: see {new}; yours is as it was"
            for mine, new in self.beside.items()
        ]
        return told


def clone() -> Path | None:
    """Return the root of the clone that this package runs from, or None if it was installed from a wheel."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def source() -> Path:
    """Return the directory of the course's notebooks; FileNotFoundError if the installation lacks them."""
    root = clone()
    folder = root / "notebooks" if root else PACKAGE / "_course" / "notebooks"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"This installation of kafkalab has no notebooks in {folder}; install it again."
        )
    return folder


def default_target() -> Path:
    """Return where `kafkalab lab` keeps its copy: ./work in a clone, else the user's data directory."""
    home = os.environ.get("KAFKALAB_HOME")
    root = clone()
    if home:
        return Path(home) / "course"
    return root / "work" if root else platformdirs.user_data_path("kafkalab") / "course"


def update(target: Path, origin: Path | None = None, *, solutions: bool | None = None) -> Report:
    """Make or update the working copy at `target` from `origin` (the installed course).

    `solutions` tells whether the copy shows them; None: as it was, and a new one does.
    """
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file; give a directory for the working copy.")
    origin = origin or source()
    (target / MARKER).mkdir(parents=True, exist_ok=True)
    marker = target / MARKER / NO_SOLUTIONS
    if solutions is False:
        _write(marker, WITHHELD + "\n")
    elif solutions:
        marker.unlink(missing_ok=True)
    manifest = _manifest(target)
    report = Report(target, solutions=not marker.exists())
    for path in sorted(origin.glob("*.ipynb")):
        _offer(path, target, manifest, report)
    _write(target / MARKER / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True))
    return report


def _offer(path: Path, target: Path, manifest: dict[str, str], report: Report) -> None:
    content = normalise.dumps(normalise.strip(normalise.read(path)))
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    mine = target / path.name
    if not mine.exists():
        _write(mine, content)
        report.added.append(path.name)
    elif manifest.get(path.name) in (digest, None) and _same(mine, digest, manifest.get(path.name)):
        report.kept.append(path.name)
    else:
        new = f"{path.stem}.new-{digest}.ipynb"
        _write(target / new, content)
        report.beside[path.name] = new
    manifest[path.name] = digest


def _same(mine: Path, digest: str, offered: str | None) -> bool:
    """Tell whether the learner has this version: it was offered, or (no manifest) the cells are equal."""
    if offered is not None:
        return True
    content = normalise.dumps(normalise.strip(normalise.read(mine)))
    return hashlib.sha256(content.encode()).hexdigest()[:8] == digest


def _manifest(target: Path) -> dict[str, str]:
    try:
        known = json.loads((target / MARKER / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="\n")
