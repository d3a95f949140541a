"""`kafkalab run CHAPTER`: execute a chapter in the terminal, with progress, and say readably what failed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kafkalab.course import chapters, normalise, workcopy
from kafkalab.course.clusters import shared
from kafkalab.course.execute import failed_cell, notebook_client, readable


def run(chapter: str, console: Console | None = None) -> bool:
    """Execute `chapter` in a fresh kernel and tell whether every cell ran; LookupError if it is unknown."""
    console = console or Console()
    entry = chapters.find(chapter)
    path = workcopy.source() / entry.notebook
    if not path.exists():
        raise FileNotFoundError(f"Chapter {entry.number} has no notebook {path.name} in {path.parent} yet.")
    with shared():
        return execute(path, f"{entry.number} {entry.title}", console)


def execute(path: Path, title: str, console: Console) -> bool:
    """Execute the notebook at `path` with progress on `console`; its file stays as it is."""
    notebook = normalise.strip(normalise.read(path))
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    start = time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task(escape(title), total=cells)

        def executed(cell: Any, **_: Any) -> None:
            progress.advance(task, cell.cell_type == "code")

        error = _first_error(notebook, path, executed)
    if error:
        console.print(f"[red]Chapter {escape(title)} stopped:[/] {escape(error)}", highlight=False)
        return False
    console.print(f"[green]Chapter {escape(title)}:[/] {cells} cells in {time.monotonic() - start:.0f} s")
    return True


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cells"))
    return Progress(*columns, TimeElapsedColumn(), console=console)


def _first_error(notebook: Any, path: Path, executed: Any) -> str:
    try:
        notebook_client(notebook, path.parent, on_cell_executed=executed).execute()
    except CellExecutionError as error:
        return readable(error, failed_cell(notebook))
    except (CellTimeoutError, DeadKernelError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
