"""Documents that are made from data, so that they cannot say something else than it does.

    python -m kafkalab.course.documents            # write those that are not as they should be
    python -m kafkalab.course.documents --check    # write nothing; fail if there is one

Each is a path from the clone's root and a function that returns the whole text. Of some only a part is made:
the links of the chapters, and what stands between two comments (blocks.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from kafkalab.course import (
    blocks,
    claims_table,
    glossary,
    navigation,
    settings_index,
    teaching,
    workcopy,
)
from kafkalab.course.chapters import CHAPTERS
from kafkalab.course.teeth import document

DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "README.md": blocks.readme,
    **{f"notebooks/{each.notebook}": functools.partial(navigation.text, each) for each in CHAPTERS},
    "docs/claims.md": claims_table.text,
    "docs/teaching.md": teaching.text,
    "docs/teeth.md": document.text,
    "notebooks/A1_settings.ipynb": settings_index.text,
    "notebooks/A2_glossary.ipynb": glossary.text,
}


def stale(root: Path, documents: Mapping[str, Callable[[], str]] = DOCUMENTS) -> dict[Path, str]:
    """Return what the files under `root` should hold that hold something else, or are missing."""
    wanted = {root / name: text() for name, text in documents.items()}
    return {path: text for path, text in wanted.items() if not _holds(path, text)}


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(check: Annotated[bool, typer.Option(help="Compare only.")] = False) -> None:
    """Write the documents that are made from data."""
    root = workcopy.clone()
    if root is None:
        raise SystemExit("There is no clone here: documents are part of the repository, not of the package.")
    found = stale(root)
    for path, text in found.items():
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
        typer.echo(f"{path.relative_to(root).as_posix()} {'is stale: make docs' if check else 'written'}")
    if check and found:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
