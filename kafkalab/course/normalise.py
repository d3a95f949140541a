"""Notebooks as bytes that only change when something changed.

Executing or saving a notebook leaves traces (timings, random widget ids, versions); `normalise` removes
them, so that executing twice gives equal files. `tidy_for_saving` is the part that also suits a learner's
working copy: it runs on every save in the lab and touches no cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT_CELL_METADATA = ("jupyter", "tags")


def read(path: Path) -> Any:
    """Return the notebook at `path`."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    """Return the notebook's code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def dumps(notebook: Any) -> str:
    """Return the notebook as the text of a file, as Jupyter itself writes it."""
    return str(nbformat.writes(notebook, version=4)).rstrip("\n") + "\n"


def write(notebook: Any, path: Path) -> None:
    """Write `notebook`; line ends are the same on every system."""
    path.write_text(dumps(notebook), encoding="utf-8", newline="\n")


def normalise(notebook: Any) -> Any:
    """Return `notebook`, changed in place to the form that is committed."""
    tidy_for_saving(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:02}"
        cell.metadata = {name: cell.metadata[name] for name in KEPT_CELL_METADATA if name in cell.metadata}
        if cell.cell_type == "code":
            cell.outputs = _merge_streams(cell.outputs)
    return nbformat.from_dict(notebook)


def of_prose(text: str) -> str:
    """Return the file of a notebook that is one cell of prose."""
    return dumps(normalise(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text.rstrip())])))


def tidy_for_saving(notebook: Any) -> None:
    """Pin the notebook's metadata; drop timings and widget ids that die with the kernel."""
    notebook["metadata"] = {name: dict(value) for name, value in METADATA.items()}
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
        for output in cell.get("outputs", ()):
            _drop_widget_view(output.get("data", {}))


def strip(notebook: Any) -> Any:
    """Return `notebook`, changed in place to one that nobody has executed."""
    normalise(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _drop_widget_view(data: Any) -> None:
    # Kept where nothing else would show it: the hygiene check then reports a widget without a static form.
    if set(data) - {WIDGET_VIEW, "text/plain"}:
        data.pop(WIDGET_VIEW, None)


def _merge_streams(outputs: Any) -> list[Any]:
    # How a kernel cuts its output into messages is a matter of timing.
    merged: list[Any] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == "stream" == last.output_type
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged
