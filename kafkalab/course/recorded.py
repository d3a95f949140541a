"""On a cluster of somebody else: experiments that need power over its brokers are shown as recorded.

The recording is the committed notebook, which `make notebooks` executed. A cell of the chapter is shown
instead of run if it kills, freezes, restarts or resumes a broker, if it stands behind such a cell in the
same section, or if it uses what such a cell makes; definitions and imports always run. So does everything
else: proxies and their faults need no power.

Rules: a note above the outputs says that they are a recording; no claim of such a cell counts as seen. A
cell that a learner has changed is run, and the cluster says what is not possible.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from kafkalab.course import cells, hints, normalise, workcopy
from kafkalab.course.cards import card, display, paragraph
from kafkalab.course.chapters import ChapterEntry, find

POWER = {"kill", "restart", "pause", "resume"}
NOTE = (
    "This cell has to kill, freeze or restart brokers, or builds on one that does, and this cluster is "
    "somebody else's. What follows was recorded on one of our own; nothing was run here."
)


def install(entry: ChapterEntry) -> None:
    """Show instead of run, if this is a kernel, the chapter's cells that need power."""
    shell = hints.running_shell()
    if shell is None:
        return
    notebook = _notebook(entry)
    places = {_plain(notebook.cells[at].source): at for at in need_power(notebook.cells)}

    def instead(lines: list[str]) -> list[str]:
        at = places.get(_plain("".join(lines)))
        if at is None:
            return lines
        return [f'__import__("{__name__}", fromlist=["show"]).show("{entry.number}", {at})\n']

    instead.chapter = entry.number  # type: ignore[attr-defined] # a second set-up replaces the first
    every = shell.input_transformers_cleanup
    every[:] = [*(each for each in every if not hasattr(each, "chapter")), instead]


def show(number: str, at: int) -> None:
    """Show the outputs that cell `at` of the chapter's notebook was committed with."""
    from IPython.display import publish_display_data  # noqa: PLC0415 - in a kernel only

    display(card("neutral", "Recorded", paragraph(NOTE), text=f"Recorded: {NOTE}"))
    for output in _notebook(find(number)).cells[at].outputs:
        if output.output_type == "stream":
            print(output.text, end="")  # noqa: T201 - as the cell did
        else:
            publish_display_data(dict(output.data), dict(output.get("metadata", {})))


def need_power(found: Sequence[Any]) -> list[int]:
    """Return the positions, among all cells of a notebook, of the code cells that are not for a guest."""
    shown: list[int] = []
    lost: set[str] = set()  # names that only cells which are not run would make
    broken = False
    for at, cell in enumerate(found):
        if cell.cell_type != "code":
            broken = broken and not cell.source.startswith("#") and "\n## " not in cell.source
            continue
        needs = cells.needs(cell.source)
        broken = broken or any(_verbs(cell.source))
        if (broken or needs.uses & lost) and not _only_defines(cell.source):
            shown.append(at)
            lost |= needs.defines
        else:
            lost -= needs.defines
    return shown


def _verbs(source: str) -> Iterator[bool]:
    for node in ast.walk(ast.parse(source)) if _parses(source) else ():
        if isinstance(node, ast.Attribute):
            yield node.attr in POWER and ast.unparse(node.value).endswith("cluster")


def _only_defines(source: str) -> bool:
    plain = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    return _parses(source) and all(isinstance(each, plain) for each in ast.parse(source).body)


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _plain(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _notebook(entry: ChapterEntry) -> Any:
    return normalise.read(workcopy.source() / entry.notebook)
