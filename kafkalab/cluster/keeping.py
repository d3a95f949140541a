"""The caller's side of the keeper: start one, give it orders, wait for its end.

Rules
- Every thread and process has a connection of its own, so a handle needs no lock and survives a fork. It
  is kept, because logging in costs 45 ms (many small packets), an order on a kept one less than 1 ms.
- An exception raised in the keeper is raised here.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import IO, Any

import psutil

from kafkalab.cluster import statefile
from kafkalab.cluster.backend import NodeState, Profile
from kafkalab.cluster.errors import KeeperGoneError
from kafkalab.cluster.polling import wait_until
from kafkalab.cluster.ports import LOOPBACK
from kafkalab.cluster.processes import find, tail
from kafkalab.cluster.wire import Address

START_S = 30.0
STOP_S = 60.0
LOG = "keeper.log"
UNKNOWN = ("127.0.0.1", 0)


class Keeping:
    """A handle on the keeper of one state directory; the `Nodes` of an own cluster."""

    def __init__(self, directory: Path, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.directory = directory
        self.state = statefile.read(directory)
        self._process = process
        self._connections = threading.local()

    def order(self, verb: str, *arguments: Any) -> Any:
        """Have the keeper execute one order and return its result, or raise what it raised."""
        try:
            result = self._exchange(verb, arguments)
        except (OSError, EOFError, AuthenticationError) as error:
            raise KeeperGoneError(
                f"The keeper of the cluster in {self.directory} has ended ({error!r}), and its nodes "
                "with it. Start a new cluster; `kafkalab up` makes one that outlives this process."
            ) from error
        if isinstance(result, Exception):
            raise result
        return result

    def _exchange(self, verb: str, arguments: tuple[Any, ...]) -> Any:
        connection = self._connection()
        try:
            connection.send((verb, arguments))
            return connection.recv()
        except BaseException:
            # An answer that nobody took, as after Ctrl-C, must not be taken for the next order's.
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        """Close this thread's connection; other threads' end with the handle."""
        if hasattr(self._connections, "kept"):
            self._connections.kept[1].close()
            del self._connections.kept

    def _connection(self) -> "Connection[Any, Any]":
        kept: tuple[int, Connection[Any, Any]] | None = getattr(self._connections, "kept", None)
        if kept is not None and kept[0] == os.getpid():
            return kept[1]
        made = Client(self.state.keeper_address or UNKNOWN, authkey=statefile.key(self.directory))
        self._connections.kept = (os.getpid(), made)
        return made

    def launch(self, brokers: int, profile: Profile, settings: Mapping[str, str]) -> None:
        """Launch all nodes."""
        self.order("launch", brokers, profile, dict(settings))
        self.state = statefile.read(self.directory)

    def detach(self) -> None:
        """Let the keeper outlive this process."""
        self.order("detach")

    def stop(self) -> None:
        """End nodes and keeper and remove the state directory; fine if it happened already."""
        try:
            self.order("stop")
        except (KeeperGoneError, FileNotFoundError):
            statefile.sweep()
        self._hang_up()
        self._await_end()

    @property
    def backend(self) -> str:
        """The back end's name."""
        return self.state.backend

    @property
    def controllers(self) -> list[int]:
        """The controllers' ids."""
        return self.state.controllers

    def addresses(self) -> dict[int, Address]:
        """Where each broker listens for clients."""
        return {node: Address(LOOPBACK, port) for node, port in self.state.brokers.items()}

    def states(self) -> dict[int, NodeState]:
        """Tell what each node is doing, controllers first."""
        found: dict[int, NodeState] = self.order("states")
        return found

    def kill(self, node_id: int) -> None:
        """SIGKILL."""
        self.order("kill", node_id)

    def restart(self, node_id: int) -> None:
        """Launch a dead node again."""
        self.order("restart", node_id)

    def pause(self, node_id: int) -> None:
        """Freeze."""
        self.order("pause", node_id)

    def resume(self, node_id: int) -> None:
        """Go on."""
        self.order("resume", node_id)

    def rss(self) -> dict[int, int]:
        """Resident memory per living node, in bytes."""
        found: dict[int, int] = self.order("rss")
        return found

    def log_tail(self, node_id: int, lines: int = 15) -> str:
        """Return the end of the node's log."""
        return str(self.order("log_tail", node_id, lines))

    def _await_end(self) -> None:
        if self._process is not None:
            self._stdin().close()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        elif self.state.keeper and (process := find(self.state.keeper)):
            psutil.wait_procs([process], timeout=STOP_S)

    def _stdin(self) -> IO[bytes]:
        stdin = self._process.stdin if self._process else None
        if stdin is None:
            raise KeeperGoneError(f"The keeper of {self.directory} was started without a pipe.")
        return stdin


def start_keeper(directory: Path) -> Keeping:
    """Start the keeper of a fresh state directory; return when it takes orders."""
    # A session of its own: Ctrl-C in the starter's terminal must not reach keeper and nodes.
    apart: dict[str, Any] = (
        {"start_new_session": True}
        if os.name == "posix"
        else {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    )
    with (directory / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "kafkalab.cluster.keeper", str(directory)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            **apart,
        )
    try:
        wait_until(
            "the cluster's keeper takes orders",
            lambda: process.poll() is not None or statefile.read(directory).keeper_address is not None,
            timeout=START_S,
            evidence=lambda: tail(directory / LOG, 15),
        )
        if process.poll() is not None:
            raise KeeperGoneError(f"The cluster's keeper ended at once: {tail(directory / LOG, 15)}")
    except BaseException:
        process.kill()
        process.communicate()
        statefile.remove(directory)
        raise
    return Keeping(directory, process)
