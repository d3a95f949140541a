"""A chapter's cells under a mutant, in a fresh kernel, until one of them kills it.

A kill is the AssertionError of a claim, or a solution of one of the chapter's exercises that is judged wrong.
Any other error is noted and the next cell runs: a plain assertion, an ImportError or an exercise that raised
say that something is wrong, but not what. A cell that takes too long ends the run, and is no kill either.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from kafkalab.course import clusters, exercise
from kafkalab.course.execute import notebook_client
from kafkalab.course.teeth.patch import Mutant

CELL_TIMEOUT = 60
_KILLS = (
    (re.compile(r"Claim (\S+) \(verdict"), "{}"),
    (re.compile(r"Exercise (\S+): its solution is judged wrong"), "exercise {}"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: who killed it, or else the first thing that went wrong, if any."""

    killer: str | None
    trouble: str
    seconds: float


def run(
    cells: Sequence[Any], folder: Path, chapter: str, mutant: Mutant | None, *, judged: bool = True
) -> Outcome:
    """Execute code `cells`, then (`judged`) the checks of the chapter's exercises on their solutions.

    `mutant` None is the control.
    """
    started = time.monotonic()
    extra = [_exercises(chapter)] if judged else []
    notebook = nbformat.v4.new_notebook(cells=[*_hidden(mutant), *copy.deepcopy(list(cells)), *extra])
    client = notebook_client(notebook, folder, allow_errors=True, shutdown_kernel="immediate")
    client.timeout = CELL_TIMEOUT
    killer, trouble = None, ""
    try:
        with client.setup_kernel():
            for number, cell in enumerate(notebook.cells):
                client.execute_cell(cell, number)
                killer = killed_by(cell)
                if killer is not None:
                    break
                trouble = trouble or _trouble(cell)
    except (CellTimeoutError, DeadKernelError) as error:
        trouble = trouble or f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return Outcome(killer, trouble, time.monotonic() - started)


def _hidden(mutant: Mutant | None) -> list[Any]:
    call = (
        f'__import__("{__package__}.patch", fromlist=["install"]).install("{mutant.key}")' if mutant else ""
    )
    return [nbformat.v4.new_code_cell(call)] if mutant else []


def _exercises(chapter: str) -> Any:
    call = f'__import__("{__name__}", fromlist=["solve"]).solve("{chapter}")'
    return nbformat.v4.new_code_cell(call)


def killed_by(cell: Any) -> str | None:
    """Return the claim, or `exercise NAME`, whose failure is what an executed `cell` shows."""
    for output in cell.get("outputs", ()):
        if output.output_type == "error" and output.ename == "AssertionError":
            for pattern, name in _KILLS:
                if match := pattern.match(output.evalue):
                    return name.format(match[1])
    return None


def _trouble(cell: Any) -> str:
    """Return the error that an executed `cell` shows, in a line; an empty text if it shows none."""
    for output in cell.get("outputs", ()):
        if output.output_type == "error":
            said, source = (text.partition("\n")[0] for text in (output.evalue, cell.source))
            return f"{output.ename}: {said} (in: {source})"
    return ""


def solve(chapter: str) -> None:
    """Judge the solutions of the chapter's exercises; raise AssertionError if one is wrong."""
    bench = exercise.Bench(clusters.join(), chapter)
    for (number, name), each in exercise.registry().items():
        if number == chapter:
            result = exercise.judge(each, each.solution, bench)
            raised = result.message.startswith(exercise.RAISED)
            if result.status == "wrong" and not raised:
                raise AssertionError(f"Exercise {name}: its solution is judged wrong: {result.message}")
            if result.status != "correct":
                raise RuntimeError(f"Exercise {name}: {result.message}")
