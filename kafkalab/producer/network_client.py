"""All connections of a producer, and the one place where its I/O thread sleeps (Java: `NetworkClient`).

Rules: at most one connection per broker, opened when first needed; after a failure the broker is left
alone for a back-off that grows to a second, and a refusal (a wrong password, say) is reported at
once; another thread ends the sleep with `wakeup()`, which costs a system call only while the I/O
thread may really be asleep; without a broker that answers, the bootstrap addresses are tried again; a
name is looked up anew for each connection, since it may have moved.

Leaves out: what the requests mean.
"""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from kafka.errors import IncompatibleBrokerVersion

from kafkalab.producer.backoff import ExponentialBackoff
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.connection import Address, Connection, Handler
from kafkalab.producer.errors import AuthenticationError
from kafkalab.producer.handshake import ConnectionState
from kafkalab.producer.metadata import Snapshot
from kafkalab.producer.security import tls_context

log = logging.getLogger(__name__)
_LONGEST_SLEEP_S = 3600.0
_RECONNECT_MAX_MS = 1000.0  # reconnect.backoff.max.ms
_IMPATIENT_S = 1.0  # when nobody is connected, one more broker is tried this often


class NetworkClient:
    """Connections by node id; bootstrap addresses are nodes -1, -2, ... until the real ids are known."""

    def __init__(self, config: ProducerConfig) -> None:
        self._config = config
        self._tls = tls_context(config)
        self._lookups: dict[Address, Future[list[Any]]] = {}
        self._backoff = ExponentialBackoff(config.reconnect_backoff_ms, _RECONNECT_MAX_MS)
        self._bootstrap = {-1 - index: address for index, address in enumerate(config.bootstrap_addresses)}
        self._addresses = dict(self._bootstrap)
        self._connections: dict[int, Connection] = {}
        self._failures: Counter[int] = Counter()
        self._retry_at: dict[int, float] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._asleep = True
        self._turn = 0.0
        """When the loop's turn began: what was put off in it was compared with this time."""
        self.trouble: BaseException | None = None
        """Why the last connection failed, for messages; None once one is ready."""
        self.on_lost: Callable[[], object] = lambda: None  # told of every connection that failed or broke
        self.on_refused: Callable[[int, AuthenticationError], object] = lambda *_: None
        """Told of a node that does not accept us, or we it, after on_lost: waiting will not help."""

    # --- nodes ------------------------------------------------------------------------------------

    def learn(self, snapshot: Snapshot) -> None:
        """Take over the brokers' addresses; connections to addresses no longer valid are closed."""
        self._addresses = {**self._bootstrap, **snapshot.brokers}
        for node, connection in list(self._connections.items()):
            needed = node >= 0 and self._addresses.get(node) == connection.address
            if not needed and not connection.in_flight:
                self._drop(node, ConnectionAbortedError("address no longer needed"))

    @property
    def transaction_version(self) -> int:
        """The cluster's feature transaction.version, as the broker with the newest knowledge has it."""
        return max((each.features for each in self._connections.values()), default=(-1, 0))[1]

    def can_send(self, node: int, now: float) -> bool:
        """Tell whether `node` can take a request now; start connecting to it if need be."""
        connection = self._connections.get(node)
        if connection is None:
            self._connect(node, now)
            return False
        most = self._config.max_in_flight_requests_per_connection
        return connection.is_open(now) and connection.in_flight < most

    def any_node(self, now: float) -> int | None:
        """Return the least busy node that can take a request; None while there is none yet.

        Brokers are preferred; the bootstrap addresses help when none of the brokers is connected.
        """
        usable = [node for node, each in self._connections.items() if each.is_open(now)]
        if usable:
            return min(usable, key=lambda node: self._connections[node].in_flight)
        if all(now - each.created > _IMPATIENT_S for each in self._connections.values()):
            order = sorted(self._addresses, key=lambda node: (self._failures[node], node < 0, abs(node)))
            _ = any(self._connect(node, now) for node in order if node not in self._connections)
        return None

    def send(self, node: int, request: Any, handler: Handler, now: float, timeout: float) -> None:
        """Send to a node that `can_send` or `any_node` named; `handler` gets the answer or the error."""
        try:
            self._connections[node].send(request, handler, now, timeout)
        except IncompatibleBrokerVersion as error:
            handler(None, error)

    # --- sleeping and waking ----------------------------------------------------------------------

    def wakeup(self) -> None:
        """End the I/O thread's sleep, or the next one if it comes between two; from any thread."""
        if self._asleep:
            self._asleep = False
            with contextlib.suppress(OSError):
                self._wake_writer.send(b"\0")

    def poll(self, timeout: float) -> None:
        """Sleep until something happens, at most `timeout` seconds, and deal with it."""
        done = [connection.write() for connection in self._connections.values()]
        if any(done):
            timeout = 0.0  # with acks=0 what has left makes room for more, and no answer would wake us
        now = time.monotonic()
        self._bury(now)  # writing may have found one broken
        for node, connection in self._connections.items():
            if self._selector.get_key(connection.fd).events != connection.interest:
                self._selector.modify(connection.fd, connection.interest, node)
        events = self._selector.select(max(0.0, min(timeout, self._longest_sleep(now))))
        self._asleep = False
        now = time.monotonic()
        for key, mask in events:
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._wake_reader.recv(4096)
            elif key.data in self._connections:  # not dropped by what another one brought
                self._connections[key.data].on_event(mask, now)
        self._bury(now)
        self._asleep = True  # from here on: whoever decided anything before has not seen what comes now

    def give_up_late(self, now: float) -> None:
        """Begin a turn: close connections with an overdue answer, and those that were idle for too long."""
        self._turn = now
        for node, connection in list(self._connections.items()):
            if connection.deadline > now:
                continue
            step = connection.state.value
            if connection.in_flight or connection.state is not ConnectionState.READY:
                connection.close(TimeoutError(f"no answer within request_timeout_ms ({step})"))
            else:
                self._drop(node, ConnectionAbortedError("idle for connections_max_idle_ms, or login used up"))
        self._bury(now)

    def close(self) -> None:
        """Close everything."""
        for node in list(self._connections):
            self._drop(node, ConnectionAbortedError("the producer was closed"))
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _connect(self, node: int, now: float) -> bool:
        """Start connecting to the next of the host's addresses, as soon as its name is looked up."""
        self._bury(now)  # the new socket may get a closed one's number
        address = self._addresses.get(node)
        if address is None:
            self.on_lost()  # somebody knows of a broker that we do not: metadata is out of date
            return False
        if self._retry_at.get(node, 0.0) > now:
            return False
        try:
            if (found := self._resolve(address)) is None:
                return False
            target = found[self._failures[node] % len(found)]
            connection = Connection(address, target, self._config, self._tls, now)
        except OSError as error:
            self._note_failure(node, now, error)
            return False
        self._connections[node] = connection
        self._selector.register(connection.fd, connection.interest, node)
        return True

    def _resolve(self, address: Address) -> list[Any] | None:
        """Return what socket.getaddrinfo does, once, and None while it is looking; raises OSError.

        It looks on a thread of its own, since the system can take a minute, and the I/O thread has none.
        """
        with contextlib.suppress(OSError, ValueError):  # that is a name
            return socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        if address not in self._lookups:
            lookup = self._lookups[address] = Future()
            lookup.add_done_callback(lambda _: self.wakeup())
            threading.Thread(target=_look_up, args=(address, lookup), daemon=True).start()
        elif self._lookups[address].done():
            return self._lookups.pop(address).result()
        return None

    def _longest_sleep(self, now: float) -> float:
        """Return the seconds until something has to be done although nothing happens."""
        limits = [at for node, at in self._retry_at.items() if node not in self._connections]
        limits += [connection.muted_until for connection in self._connections.values()]
        # Not `at > now`: what became due since the turn began was put off in it, and would wake nobody.
        limits = [now + _LONGEST_SLEEP_S, *(at for at in limits if at > self._turn)]
        for connection in self._connections.values():
            ready = connection.state is ConnectionState.READY
            limits += [connection.deadline] if ready else [connection.deadline, now + _IMPATIENT_S]
        return min(limits) - now

    def _bury(self, now: float) -> None:
        """Forget closed connections; count the failure, or its end."""
        for node, connection in list(self._connections.items()):
            if connection.state is ConnectionState.CLOSED:
                self._drop(node, ConnectionAbortedError())  # closed already: this only unregisters it
                self._note_failure(node, now, connection.error)
            elif connection.state is ConnectionState.READY:
                self._failures.pop(node, None)
                self.trouble = None

    def _note_failure(self, node: int, now: float, error: BaseException | None) -> None:
        self._failures[node] += 1
        self._retry_at[node] = now + self._backoff.seconds(self._failures[node])
        self.trouble = error
        self.on_lost()
        if isinstance(error, AuthenticationError):
            self.on_refused(node, error)
        log.info("node %d at %s: %r", node, self._addresses.get(node), error)

    def _drop(self, node: int, reason: BaseException) -> None:
        connection = self._connections.pop(node)
        self._selector.unregister(connection.fd)
        connection.close(reason)


def _look_up(address: Address, lookup: Future[list[Any]]) -> None:
    try:
        lookup.set_result(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
    except (OSError, ValueError) as error:
        lookup.set_exception(OSError(f"host {address[0]!r} is not found: {error}"))
