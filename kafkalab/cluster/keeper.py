"""The keeper: one process per cluster that owns its nodes and takes them down with itself.

Rules
- `python -m kafkalab.cluster.keeper <state directory>`; started by keeping.py, never by hand.
- It ends when its starter does: the starter holds the write end of our stdin, and the system closes that
  even after SIGKILL. The order "detach" (kafkalab up) cuts this bond; then only "stop" ends the keeper.
- Orders come over multiprocessing.connection on the loopback, for owner and attached processes alike,
  guarded by the key in the state directory. Threads only carry orders in; the main thread alone executes
  them, one by one (backend.py says why).
- Whatever ends it, it closes the back end and removes the state directory.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from kafkalab.cluster import choice, statefile
from kafkalab.cluster.backend import CONTROLLER_ID, Backend, NodeSpec, NodeState, Place, Ports, Profile, Role
from kafkalab.cluster.errors import ClusterError
from kafkalab.cluster.ports import LOOPBACK, free_ports
from kafkalab.cluster.processes import identify
from kafkalab.cluster.properties import server_properties

Answer = Callable[[object], None]
Order = tuple[str, tuple[Any, ...], Answer]
STOP = "stop"


class Keeper:
    """Owns one back end and executes orders on it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._state = statefile.read(directory)
        self._backend: Backend | None = None
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._attached = True

    def run(self) -> None:
        """Take orders until "stop" or the starter's end."""
        listener = Listener((LOOPBACK, 0), authkey=statefile.key(self._directory))
        threading.Thread(target=self._listen, args=(listener,), daemon=True).start()
        threading.Thread(target=self._watch_starter, daemon=True).start()
        address = (str(listener.address[0]), int(listener.address[1]))
        self._publish(keeper=identify(), keeper_address=address)
        try:
            while self._execute(*self._orders.get()):
                pass
        finally:
            self.close()

    def close(self) -> None:
        """Take every node down and remove the state directory; may be called twice."""
        if self._backend is not None:
            self._backend.close()
        statefile.remove(self._directory)

    def order(self, verb: str, *arguments: Any, answer: Answer = lambda _: None) -> None:
        """Queue an order for the main thread; its result or exception goes to `answer`."""
        self._orders.put((verb, arguments, answer))

    def launch(self, brokers: int, profile: Profile, settings: Mapping[str, str]) -> None:
        """Start one controller and `brokers` brokers; return when launched."""
        backend = choice.module(self._state.backend).open_backend(
            self._directory, self._state.cluster_id, settings
        )
        self._backend = backend
        nodes = plan(backend, self._state.cluster_id, brokers, profile)
        backend.start(nodes)
        self._publish(
            brokers={n.node_id: n.place.published_port for n in nodes if n.role == "broker"},
            controllers=[n.node_id for n in nodes if n.role == "controller"],
        )

    def states(self) -> dict[int, NodeState]:
        """Tell what each node is doing, controllers first."""
        assert self._backend is not None
        return {node: self._backend.state(node) for node in (*self._state.controllers, *self._state.brokers)}

    def detach(self) -> None:
        """Live on after the starter's end."""
        self._attached = False

    def _execute(self, verb: str, arguments: tuple[Any, ...], answer: Answer) -> bool:
        """Execute one order; return False when it was the last."""
        try:
            result = self._perform(verb, arguments)
        except Exception as error:  # noqa: BLE001 -- an order's failure is its caller's, the keeper lives on
            result = error if isinstance(error, ClusterError) else ClusterError(f"{verb} failed: {error!r}")
        answer(result)
        return verb != STOP

    def _perform(self, verb: str, arguments: tuple[Any, ...]) -> object:
        own: dict[str, Callable[..., object]] = {
            "launch": self.launch,
            "detach": self.detach,
            "states": self.states,
            STOP: self.close,
        }
        if verb in own:
            return own[verb](*arguments)
        result: object = getattr(self._backend, verb)(*arguments)
        if verb in {"kill", "restart"}:
            self._publish()
        return result

    def _publish(self, **changes: Any) -> None:
        pids: Callable[[], list[int]] = getattr(self._backend, "pids", list)
        self._state = replace(self._state, node_processes=[identify(pid) for pid in pids()], **changes)
        statefile.write(self._directory, self._state)

    def _watch_starter(self) -> None:
        # Not sys.stdin.read(): its lock, held by this thread, would delay the interpreter's end by a second.
        os.read(sys.stdin.fileno(), 1)
        if self._attached:
            self.order(STOP)

    def _listen(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except (AuthenticationError, OSError, EOFError):
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: "Connection[Any, Any]") -> None:
        """Carry one caller's orders in and their answers out until it goes."""
        answers: queue.SimpleQueue[object] = queue.SimpleQueue()
        with connection, contextlib.suppress(EOFError, OSError):
            while True:
                verb, arguments = connection.recv()
                self.order(verb, *arguments, answer=answers.put)
                connection.send(answers.get())


def plan(backend: Backend, cluster_id: str, brokers: int, profile: Profile) -> list[NodeSpec]:
    """Give every node its ports, place and properties; controllers first."""
    roles: dict[int, Role] = {CONTROLLER_ID: "controller"}
    roles |= dict.fromkeys(range(1, brokers + 1), "broker")
    ports = iter(free_ports(2 * len(roles)))
    places: dict[int, Place] = {
        node: backend.place(node, role, Ports(next(ports), next(ports))) for node, role in roles.items()
    }
    return [
        NodeSpec(
            node_id=node,
            role=role,
            cluster_id=cluster_id,
            directory_id=new_id(),
            place=places[node],
            properties=server_properties(node, role, places, [CONTROLLER_ID], profile),
            profile=profile,
        )
        for node, role in roles.items()
    ]


def new_id() -> str:
    """Return a random id as Kafka writes them: a UUID in 22 characters that does not begin with a dash."""
    while (text := urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return text


def main() -> None:
    """Keep the cluster of the state directory given as the only argument."""
    keeper = Keeper(Path(sys.argv[1]))
    # Ctrl-C is for the starter: it decides, and our stdin ends if it does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: keeper.order(STOP))
    keeper.run()


if __name__ == "__main__":
    main()
