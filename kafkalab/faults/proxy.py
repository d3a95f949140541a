"""FaultProxy: between any Kafka client and any cluster, with faults that hit one request, on purpose.

    with FaultProxy(cluster.bootstrap_servers) as proxy:
        lost = proxy.drop_response("Produce", nth=2)
        producer = Producer(bootstrap_servers=proxy.bootstrap_servers)
        ...
        lost.wait()

Rules
- One listener per broker, on the loopback, in plain text; `security` is for the way to the broker.
- Every address that a broker tells is replaced by the proxy's (rewrite.py), so clients never go round it.
- A rule is set by a verb, takes one request unless `times` says otherwise, and is looked at through the Rule
  that the verb returns (rules.py). Without rule and recorder frames pass unread.
- A connection is first-in-first-out (link.py): after a dropped request or answer nothing more passes on it.

Leaves out: IPv6 listeners, the controller's listener, leader hints of share groups.
"""

import selectors
import socket
import threading
from types import TracebackType
from typing import Any, Self

from kafka.protocol.metadata import MetadataRequest

from kafkalab.cluster import UnreachableError
from kafkalab.cluster.wire import PLAINTEXT, Address, Security, call
from kafkalab.faults.answers import check_can_answer
from kafkalab.faults.errors import FaultError, FrameError, RuleError
from kafkalab.faults.interpreter import hurry, relax
from kafkalab.faults.link import Link, Service
from kafkalab.faults.names import api_key, error_code
from kafkalab.faults.recorder import Frame, Recorder
from kafkalab.faults.rewrite import Rewriter
from kafkalab.faults.rules import Action, Match, Options, Rule, Rulebook, Throttle
from kafkalab.faults.upstream import Channel, dial

LOOPBACK = "127.0.0.1"
BACKLOG = 64
JOIN_S = 10.0


class FaultProxy:
    """A proxy before a whole cluster; a context manager. Any number may stand before the same cluster.

    `bootstrap_servers` is the cluster's, "host:port,host:port"; `security` how to reach it (default: plain
    text, no login). `record=True` keeps every frame in `frames`; a Recorder given there is used instead.
    `timeout` (seconds) bounds connecting to a broker. Raises UnreachableError when none answers.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        security: Security = PLAINTEXT,
        record: bool | Recorder = False,
        timeout: float = 5.0,
    ) -> None:
        self._security = security
        self._timeout = timeout
        self.rules = Rulebook()
        self.recorder = Recorder() if record is True else (record or None)
        self.failures: list[FrameError] = []
        """Frames that could not be handled; their connections were cut, and leaving the `with` raises."""
        self._service = Service(self.rules, Rewriter(self._here), self.recorder, self.failures.append)
        self._lock = threading.RLock()
        self._upstream: dict[int, Address] = {}
        self._listeners: dict[int, socket.socket] = {}
        self._links: list[Link] = []
        self._accepted = 0
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._accept, name="kafkalab-proxy-accept", daemon=True)
        try:
            for node, address in sorted(brokers_at(bootstrap_servers, security, timeout).items()):
                self._here(node, address)
        except BaseException:
            self._close_sockets()
            raise
        hurry()
        self._thread.start()

    @property
    def bootstrap_servers(self) -> str:
        """The proxy's own addresses, "host:port,host:port", one for each broker."""
        with self._lock:
            listeners = [self._listeners[node] for node in sorted(self._listeners)]
        return ",".join(str(_address(each)) for each in listeners)

    @property
    def frames(self) -> list[Frame]:
        """What was recorded so far. Raises FaultError without `record=True`."""
        if self.recorder is None:
            raise FaultError("This proxy records nothing: make it with FaultProxy(..., record=True).")
        return self.recorder.frames

    # --- rules ------------------------------------------------------------------------------------

    def drop_response(self, api: str | int | None = None, *, reset: bool = False, **which: Any) -> Rule:
        """Lose the answer: the broker does the work, the client never hears of it.

        `api` is a name such as "Produce" (None: any). By default the connection becomes a black hole, open
        but silent; `reset=True` resets it instead. `which` may hold: nth (default 1), times (default 1, None:
        always), broker (node id), topic, partition, client_id. It fires when the answer came and was dropped.
        """
        return self._add(Action.DROP_RESPONSE, api, Options(reset=reset), which)

    def drop_request(self, api: str | int | None = None, *, reset: bool = False, **which: Any) -> Rule:
        """Lose the request: the broker never hears of it. Else as drop_response()."""
        return self._add(Action.DROP_REQUEST, api, Options(reset=reset), which)

    def answer_with(
        self,
        api: str | int,
        error: str | int | type[Any],
        *,
        forward: bool = False,
        after_next: bool = False,
        **which: Any,
    ) -> Rule:
        """Answer with an error in the broker's name, such as "NOT_ENOUGH_REPLICAS", in the request's turn.

        By default the request goes no further and all its partitions get the error. `forward=True`: the
        broker does the work, and its answer is changed (only for the partition given, if one is).
        `after_next=True`: the answer leaves only once the next request that fits was forwarded, or after a
        second without one: the way to bring two requests out of order. `which` as for drop_response().
        """
        if not forward:
            check_can_answer(api_key(api))
        elif after_next:
            raise RuleError("after_next=True is for answers that the proxy makes; leave out forward=True.")
        options = Options(forward=forward, error=error_code(error), after_next=after_next)
        return self._add(Action.ANSWER_WITH, api, options, which)

    def delay(
        self, api: str | int | None = None, seconds: float = 1.0, *, forward: bool = True, **which: Any
    ) -> Rule:
        """Let the answer leave no sooner than `seconds` after its request was seen.

        What comes behind it waits, too. `forward=False` delays the request on its way to the broker instead.
        """
        if seconds < 0:
            raise RuleError(f"seconds={seconds!r}: it must not be negative.")
        return self._add(Action.DELAY, api, Options(forward=forward, seconds=seconds), which)

    def hold(self, api: str | int | None = None, *, forward: bool = True, **which: Any) -> Rule:
        """Keep the answer, and all behind it, until the rule's release(), or the proxy's.

        `forward=False` keeps the request instead: the broker does nothing until then.
        """
        return self._add(Action.HOLD, api, Options(forward=forward), which)

    def release(self) -> None:
        """Let go everything that is held, and hold nothing more."""
        self.rules.release()

    def reset(self, api: str | int | None = None, **which: Any) -> Rule:
        """Reset the connection when such a request comes: it goes no further, answers under way are lost."""
        return self._add(Action.RESET, api, Options(), which)

    def throttle(
        self, bytes_per_s: float, broker: int | None = None, client_id: str | None = None
    ) -> Throttle:
        """Slow connections down, each way, until the result's stop()."""
        return self.rules.throttle(bytes_per_s, Match(broker=broker, client_id=client_id))

    def clear(self) -> None:
        """End all rules and throttles; what is held goes on. Dead connections stay dead."""
        self.rules.clear()

    def _add(self, action: Action, api: str | int | None, options: Options, which: dict[str, Any]) -> Rule:
        counts = {name: which.pop(name) for name in ("nth", "times") if name in which}
        unknown = which.keys() - set(Match._fields[1:])
        if unknown:
            raise RuleError(
                f"{action}() has no {', '.join(sorted(unknown))}; a request is chosen by nth, times, "
                f"{', '.join(Match._fields[1:])}."
            )
        key = None if api is None else api_key(api)
        return self.rules.add(Rule(action, Match(key, **which), **counts, options=options))

    # --- connections ------------------------------------------------------------------------------

    def _here(self, node: int, address: Address) -> Address:
        """Return the proxy's address for a broker; start to listen for one that is new."""
        with self._lock:
            self._upstream[node] = address
            if node not in self._listeners:
                listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
                listener.setblocking(False)
                self._listeners[node] = listener
                self._selector.register(listener, selectors.EVENT_READ, node)
                self._wake.send(b"\0")
            return _address(self._listeners[node])

    def _accept(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._woken.recv(4096)
                elif not self._closed:
                    self._connect(key.fileobj, key.data)

    def _connect(self, listener: Any, node: int) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # the client is gone already
        client.setblocking(True)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._links = [link for link in self._links if link.alive]
            self._accepted += 1
            self._links.append(Link(self._accepted, client, node, lambda: self._dial(node), self._service))

    def _dial(self, node: int) -> Channel:
        return dial(self._upstream[node], self._security, self._timeout)

    def close(self) -> None:
        """Close all connections and listeners and end all threads; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._wake.send(b"\0")
        self._thread.join(JOIN_S)
        self.rules.clear()
        for link in self._links:
            link.cut()
        for link in self._links:
            link.join(JOIN_S)
        self._close_sockets()
        relax()

    def _close_sockets(self) -> None:
        self._selector.close()
        for each in (self._wake, self._woken, *self._listeners.values()):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if self.failures and error is None:
            raise self.failures[0]


def brokers_at(bootstrap_servers: str, security: Security, timeout: float) -> dict[int, Address]:
    """Ask the first broker that answers for all of them. Raises UnreachableError."""
    problems = []
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            answer = call(Address(host, int(port)), MetadataRequest(topics=[], version=1), security, timeout)
            return {each.node_id: Address(each.host, each.port) for each in answer.brokers}
        except (OSError, ValueError) as problem:
            problems.append(f"{server}: {problem}")
    raise UnreachableError(f"No broker answers at {bootstrap_servers!r} ({'; '.join(problems)}).")


def _address(listener: socket.socket) -> Address:
    return Address(*listener.getsockname()[:2])
