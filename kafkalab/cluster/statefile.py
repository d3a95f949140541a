"""The state directory of a running cluster: what others must know to find, join and sweep it.

Rules
- One directory per cluster, readable by its owner alone: cluster.json, the keeper's key, the nodes' data
  and logs.
- cluster.json is replaced atomically, so a reader sees the old or the new one.
- A directory whose keeper and starter are both gone is a left-over; sweep() ends its processes and
  removes it.
"""

import json
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from kafkalab.cluster.home import clusters_dir, with_room, writable
from kafkalab.cluster.processes import ProcessId, find, identify, kill

STATE_FILE = "cluster.json"
KEY_FILE = "authkey"
NEEDED_BYTES = 300_000_000
NEWBORN_S = 60.0


@dataclass(frozen=True)
class ClusterState:
    """What cluster.json holds."""

    cluster_id: str
    backend: str
    kafka_version: str
    starter: ProcessId
    """Who started the keeper; alone counts until the keeper has written its own name."""
    keeper: ProcessId | None = None
    keeper_address: tuple[str, int] | None = None
    brokers: dict[int, int] = field(default_factory=dict)
    """Broker id -> client port on 127.0.0.1."""
    controllers: list[int] = field(default_factory=list)
    node_processes: list[ProcessId] = field(default_factory=list)
    """Embedded nodes only; containers carry labels instead."""


def create(state: ClusterState, name: str) -> Path:
    """Make the state directory `name` and its first cluster.json. Raises CacheError, FileExistsError."""
    root = with_room(writable(clusters_dir()), NEEDED_BYTES)
    # Built beside and renamed, so that sweep() never meets a directory without cluster.json.
    newborn = Path(tempfile.mkdtemp(dir=root, prefix=".new-"))
    write(newborn, state)
    key = os.open(newborn / KEY_FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(key, "wb") as file:
        file.write(secrets.token_bytes(32))
    try:
        newborn.rename(root / name)
    except OSError:
        shutil.rmtree(newborn)
        raise
    return root / name


def write(directory: Path, state: ClusterState) -> None:
    """Replace cluster.json."""
    scratch = directory / f".{STATE_FILE}"
    scratch.write_text(json.dumps(asdict(state), indent=1))
    scratch.replace(directory / STATE_FILE)


def read(directory: Path) -> ClusterState:
    """Read cluster.json. Raises FileNotFoundError."""
    raw = json.loads((directory / STATE_FILE).read_text())
    state = ClusterState(**raw)
    return replace(
        state,
        starter=ProcessId(*raw["starter"]),
        keeper=ProcessId(*raw["keeper"]) if raw["keeper"] else None,
        keeper_address=tuple(raw["keeper_address"]) if raw["keeper_address"] else None,
        brokers={int(node): port for node, port in raw["brokers"].items()},
        node_processes=[ProcessId(*process) for process in raw["node_processes"]],
    )


def key(directory: Path) -> bytes:
    """Return what proves to the keeper that a caller may read this directory."""
    return (directory / KEY_FILE).read_bytes()


def new_state(cluster_id: str, backend: str, kafka_version: str) -> ClusterState:
    """Return the state before a keeper exists, started by this process."""
    return ClusterState(cluster_id, backend, kafka_version, starter=identify())


def is_alive(state: ClusterState) -> bool:
    """Tell whether somebody still looks after the cluster."""
    return find(state.keeper or state.starter) is not None


def remove(directory: Path) -> None:
    """Remove a state directory whose nodes are gone; fine if it is gone already."""
    shutil.rmtree(directory, ignore_errors=True)


def sweep() -> list[Path]:
    """End and remove what killed keepers left behind; return the directories removed."""
    root = clusters_dir()
    if not root.is_dir():
        return []
    dead = [directory for directory in root.iterdir() if _is_left_over(directory)]
    for directory in dead:
        for process in _processes(directory):
            kill(process)
        remove(directory)
    return dead


def _is_left_over(directory: Path) -> bool:
    try:
        return not is_alive(read(directory))
    except FileNotFoundError:
        return directory.is_dir() and time.time() - directory.stat().st_mtime > NEWBORN_S


def _processes(directory: Path) -> list[ProcessId]:
    try:
        return read(directory).node_processes
    except FileNotFoundError:
        return []
