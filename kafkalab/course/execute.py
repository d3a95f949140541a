"""Execute every notebook, in order, against one shared cluster, and write it in its committed form.

    python -m kafkalab.course.execute notebooks            # execute and write
    python -m kafkalab.course.execute notebooks --check    # execute and compare: nothing may differ

An execution stops at a notebook's first error and leaves that file as it was.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from kafkalab.course import normalise
from kafkalab.course.clusters import shared

CELL_TIMEOUT = 300
"""Seconds that one cell may take."""


class NotebookError(Exception):
    """A notebook did not run to its end; the message says which cell, and why."""


def execute(notebook: Any, folder: Path) -> Any:
    """Return `notebook` executed in a fresh kernel in `folder`, normalised; NotebookError at an error."""
    client = notebook_client(notebook, folder)
    try:
        client.execute()
    except CellExecutionError as error:
        raise NotebookError(readable(error, failed_cell(notebook))) from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(f"{type(error).__name__}: {error}") from error
    return normalise.normalise(notebook)


def notebook_client(notebook: Any, folder: Path, **options: Any) -> NotebookClient:
    """Return a client that runs `notebook` with `folder` as the kernel's directory."""
    return NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        # Not below error: every kernel warns that its loopback sockets are not encrypted.
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(folder)}},
        **options,
    )


def failed_cell(notebook: Any) -> str:
    """Return the source of the cell whose output is an error."""
    for cell in notebook.cells:
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            return str(cell.source)
    return ""


def readable(error: CellExecutionError, source: str) -> str:
    """Return what went wrong without the kernel's traceback: the cell, the error's name and message."""
    code = "\n".join(f"    {line}" for line in source.splitlines())
    return f"this cell failed:\n\n{code}\n\n{error.ename}: {error.evalue}"


def notebooks_in(paths: Iterable[Path]) -> list[Path]:
    """Return the notebooks named by `paths` (files or folders), in order; FileNotFoundError if none."""
    paths = list(paths)
    found = [file for path in paths for file in (sorted(path.glob("*.ipynb")) if path.is_dir() else [path])]
    if not found:
        raise FileNotFoundError(
            f"There are no notebooks in {', '.join(map(str, paths))}; expected files *.ipynb."
        )
    return found


def differences(before: str, after: str, name: str) -> Iterator[str]:
    """Yield the lines of a diff between two notebook files."""
    yield from difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (committed)", f"{name} (executed)", n=2, lineterm=""
    )


def run_one(path: Path, *, check: bool) -> list[str]:
    """Execute the notebook at `path`; write it, or with `check` return the differences."""
    committed = path.read_text(encoding="utf-8")
    executed = execute(normalise.strip(normalise.read(path)), path.parent)
    if check:
        return list(differences(committed, normalise.dumps(executed), path.name))
    normalise.write(executed, path)
    return []


def main(
    paths: Annotated[list[Path], typer.Argument(help="Notebooks, or folders of notebooks.")],
    check: Annotated[bool, typer.Option(help="Compare with the files instead of writing them.")] = False,
) -> None:
    """Execute notebooks against one shared cluster and write them normalised."""
    console = Console()
    bad, spent = 0, {}
    with shared():
        for path in notebooks_in(paths):
            start = time.monotonic()
            bad += _report(console, path, check=check)
            spent[path.stem] = time.monotonic() - start
    _sum_up(console, spent)
    if bad:
        raise typer.Exit(1)


def _sum_up(console: Console, spent: dict[str, float]) -> None:
    """Print what each notebook took, and how much of the course's time that is."""
    if len(spent) < 2:
        return
    whole = sum(spent.values())
    table = Table("Notebook", Column("Seconds", justify="right"), Column("Share", justify="right"))
    for name, seconds in spent.items():
        table.add_row(name, f"{seconds:.1f}", f"{seconds / whole:.0%}")
    table.add_row(f"{len(spent)} notebooks", f"{whole:.1f}", "", style="bold")
    console.print(table)


def _report(console: Console, path: Path, *, check: bool) -> bool:
    start = time.monotonic()
    try:
        with console.status(f"executing {path.name}"):
            found = run_one(path, check=check)
    except NotebookError as error:
        found = [str(error)]
    seconds = time.monotonic() - start
    mark = "[red]failed[/]" if found else "[green]ok[/]"
    console.print(f"{mark} {path.name} {seconds:.1f} s")
    for line in "\n".join(found).splitlines()[:60]:
        console.print(f"  {escape(line[:400])}", highlight=False)
    return bool(found)


if __name__ == "__main__":
    typer.run(main)
