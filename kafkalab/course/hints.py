"""One line more under an error that comes from running cells out of order, or twice.

    NameError                 the name is made by another cell of the chapter: which one
    ProducerClosedError       an earlier run of the chapter closed the producer
    KeyboardInterrupt         the cell that was interrupted had killed or frozen brokers: how to get them back

The error itself stays what it is. Leaves out: the cell with `Chapter(...)`; before it has run, nobody is
there to help.
"""

from __future__ import annotations

import contextlib
from typing import Any

from kafkalab.cluster.errors import ClusterError
from kafkalab.course import cells, normalise, workcopy
from kafkalab.course.chapters import ChapterEntry
from kafkalab.course.normalise import code_cells
from kafkalab.producer import ProducerClosedError

IN_ORDER = "Run the chapter's cells in order, from the first."
HELPED = (NameError, ProducerClosedError, KeyboardInterrupt)


def install(entry: ChapterEntry, cluster: Any) -> None:
    """Let this kernel, if it is one, add the hint to errors of the chapter's cells."""
    shell = running_shell()
    if shell is None:
        return

    def handler(
        shell: Any, kind: Any, error: BaseException, trace: Any, tb_offset: int | None = None
    ) -> None:
        if (line := hint(error, entry, cluster)) is not None:
            error.add_note(line)
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    shell.set_custom_exc(HELPED, handler)


def hint(error: BaseException, entry: ChapterEntry, cluster: Any) -> str | None:
    """Return the line for `error`; None if there is nothing to add."""
    if isinstance(error, NameError):
        return _made_elsewhere(error.name, entry)
    if isinstance(error, ProducerClosedError):
        return f"An earlier run closed it, or its producer was made anew since. {IN_ORDER}"
    down = _down(cluster)
    if not down:
        return None
    return f"Still down: {', '.join(down)}. lab.cluster.heal() brings all brokers back."


def _made_elsewhere(name: str | None, entry: ChapterEntry) -> str | None:
    for cell in _cells(entry):
        if name in cells.needs(cell.source).defines:
            first = cell.source.lstrip().partition("\n")[0]
            return f"{name!r} comes from the cell that begins with {first!r}. {IN_ORDER}"
    return None


def _cells(entry: ChapterEntry) -> list[Any]:
    # An installation may lack the notebook; that is no reason for a second error.
    with contextlib.suppress(OSError, ValueError):
        return code_cells(normalise.read(workcopy.source() / entry.notebook))
    return []


def _down(cluster: Any) -> list[str]:
    with contextlib.suppress(ClusterError, OSError):
        nodes = cluster.status().nodes
        return [f"{node.role} {node.node_id} ({node.state})" for node in nodes if node.state != "running"]
    return []


def running_shell() -> Any:
    """Return IPython's shell if this process has one, else None."""
    with contextlib.suppress(ImportError):
        from IPython.core.getipython import get_ipython  # noqa: PLC0415 - heavy, and only kernels have one

        return get_ipython()
    return None
