"""`kafkalab lab`: a working copy, a cluster under it, JupyterLab on top.

JupyterLab runs in this very process, so the cluster's owner is the lab server: whatever ends it ends the
brokers. Kernels inherit KAFKALAB_CLUSTER and so join that cluster. The lab's configuration travels by
JUPYTER_CONFIG_PATH; the learner's own Jupyter configuration stays as it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from kafkalab.course import chapters, clusters, workcopy

CONFIG = Path(__file__).parent / "labconfig"


def lab(directory: Path | None, extra: Sequence[str]) -> None:
    """Open JupyterLab on the first chapter; `extra` goes to JupyterLab (--no-browser, --port=...)."""
    console = Console(stderr=True)
    target = directory or workcopy.default_target()
    for line in workcopy.update(target).lines():
        console.print(line, highlight=False)
    with cluster(console), clusters.environment(JUPYTER_CONFIG_PATH=_config_path()):
        serve(arguments(target.resolve(), extra))


@contextlib.contextmanager
def cluster(console: Console) -> Iterator[None]:
    """Have a cluster that kernels can join: a running one (`kafkalab up`, external), else one of our own."""
    with contextlib.ExitStack() as stack:
        joined = clusters.running()
        if joined is None:
            joined = stack.enter_context(clusters.start())
        else:
            console.print("Joining the cluster that is running already.")
        if joined.directory is not None:
            stack.enter_context(clusters.environment(KAFKALAB_CLUSTER=str(joined.directory)))
        yield


def arguments(target: Path, extra: Sequence[str]) -> list[str]:
    """Return JupyterLab's command line: the working copy as root, the first chapter in view."""
    first = chapters.CHAPTERS[0].notebook
    start = f"/lab/tree/{first}" if (target / first).exists() else "/lab"
    ours = [
        f"--ServerApp.root_dir={target}",
        f"--LabApp.default_url={start}",
        "--ServerApp.answer_yes=True",  # Ctrl-C ends the lab without asking
    ]
    # Jupyter refuses to run as root unless told; in containers and classrooms there is often nobody else.
    if getattr(os, "geteuid", lambda: 1)() == 0:
        ours.append("--allow-root")
    return [*ours, *extra]


def serve(argv: Sequence[str]) -> None:
    """Run JupyterLab until it is ended."""
    from jupyterlab.labapp import LabApp  # noqa: PLC0415 - a second of imports, for this command only

    LabApp.launch_instance(argv=list(argv))


def _config_path() -> str:
    own = os.environ.get("JUPYTER_CONFIG_PATH")
    return os.pathsep.join([str(CONFIG), own] if own else [str(CONFIG)])
