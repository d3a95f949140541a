"""Child processes that never outlive their parent, and what psutil tells about processes.

Rules
- A process is named by pid and creation time together: pids are used again.
- On Linux a child is started through setpriv (util-linux), which asks the kernel to kill it when the thread
  that started it ends. So nodes are started by the keeper's main thread only. Where setpriv is missing
  (macOS, Windows), left-overs of a killed keeper are swept at the next start.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import psutil


class ProcessId(NamedTuple):
    """One process, told apart from a later one with the same pid."""

    pid: int
    created: float
    """Seconds since the epoch, as psutil reports it."""


def identify(pid: int | None = None) -> ProcessId:
    """Name the process `pid`, or this one."""
    process = psutil.Process(pid)
    return ProcessId(process.pid, process.create_time())


def find(identity: ProcessId) -> psutil.Process | None:
    """Return the process if it still lives (a zombie does not)."""
    try:
        process = psutil.Process(identity.pid)
        same = process.create_time() == identity.created
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def kill(identity: ProcessId, timeout: float = 10.0) -> None:
    """End the process as SIGKILL does and wait until it is gone; fine if it is gone already."""
    process = find(identity)
    if process is not None:
        process.kill()
        psutil.wait_procs([process], timeout=timeout)


@cache
def death_signal() -> tuple[str, ...]:
    """Return the command prefix that ties a child's life to ours, or nothing where there is none."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "KILL")
    works = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if works.returncode == 0 else ()


def spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a child that dies with us; what it prints is appended to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [*death_signal(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def tail(log: Path, lines: int) -> str:
    """Return the last lines of a file, or a word on its absence."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(no log at {log})"
