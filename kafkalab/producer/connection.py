"""One connection to one broker: requests go out, answers come back, in order.

`kafka.protocol` turns messages into bytes and back and does no I/O; this file adds the socket, and
nothing ever blocks on it. A connection lives once:

    CONNECTING ─▶ HANDSHAKE (ApiVersions: which versions do we share?) ─▶ READY ─▶ CLOSED

Rules: a broker answers a connection's requests in the order they were sent, so the first answer
belongs to the oldest request; whatever ends the connection fails everything unanswered with the same
error, oldest first; an answer later than its deadline ends it, too, since nothing can be skipped.

Leaves out: when to connect and to whom (network_client.py).
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from kafka import errors as kafka_errors
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol

Handler: TypeAlias = Callable[[Any, BaseException | None], None]
"""Called once per request with (response, None) or (None, error); response None too when acks=0."""

_RECEIVE = 256 * 1024
_CONNECTING = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)}


class ConnectionState(Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    READY = "ready"
    CLOSED = "closed"


class InFlight(NamedTuple):
    """A request that waits for its answer, or - without one to come - for its last byte to leave."""

    handler: Handler
    deadline: float
    expects_answer: bool
    ends_at: int  # position of its last byte in everything this connection ever sends


class Connection:
    """A non-blocking connection to `address`; `timeout` seconds are allowed for connect and handshake."""

    def __init__(
        self, address: tuple[str, int], client_id: str, now: float, timeout: float, *, attempt: int = 0
    ) -> None:
        self.address = address
        self.state = ConnectionState.CONNECTING
        self.error: BaseException | None = None
        self.created = self.last_used = now
        self.features: tuple[int, dict[str, int]] = (-1, {})
        """What the cluster has agreed on: the epoch of that knowledge, and a level for each feature."""
        self._protocol = KafkaProtocol(client_id=client_id)
        self._versions: BrokerVersionData | None = None
        self._in_flight: deque[InFlight] = deque()
        self._out = bytearray()
        self._queued = self._sent = 0
        self._setup_deadline = now + timeout
        self.socket = _connect(address, attempt)

    @property
    def in_flight(self) -> int:
        """How many requests are not answered yet."""
        return len(self._in_flight)

    @property
    def interest(self) -> int:
        """The selector events to wait for."""
        writing = self._out or self.state is ConnectionState.CONNECTING
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)

    @property
    def deadline(self) -> float:
        """When the connection has to be given up if nothing happens."""
        if self.state is ConnectionState.READY:
            return self._in_flight[0].deadline if self._in_flight else float("inf")
        return self._setup_deadline

    def send(self, request: Any, handler: Handler, now: float, timeout: float) -> int:
        """Queue `request` in the newest version both sides know; return its correlation id.

        It leaves with the next `write()`: requests of one turn travel together, because in Python each
        system call lets the application's threads go first.

        `handler` gets the answer, or the error that ended the connection, after `timeout` s at the latest.
        Raises IncompatibleBrokerVersion when there is no common version.
        """
        if self._versions is not None:
            request.API_VERSION = self._versions.api_version(request)
        correlation_id: int = self._protocol.send_request(request)
        data = self._protocol.send_bytes()
        self._out += data
        self._queued += len(data)
        self.last_used = now
        self._in_flight.append(InFlight(handler, now + timeout, request.expect_response(), self._queued))
        return correlation_id

    def on_event(self, events: int, now: float) -> None:
        """Go on after the selector reported `events`."""
        try:
            if self.state is ConnectionState.CONNECTING:
                self._finish_connect(now)
            elif events & selectors.EVENT_WRITE:
                self.write()
            if events & selectors.EVENT_READ and self.state is not ConnectionState.CLOSED:
                self._read(now)
        except (OSError, kafka_errors.KafkaError) as error:
            self.close(error)

    def close(self, reason: BaseException) -> None:
        """Close for `reason` and fail what is unanswered with it, oldest first."""
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        self.error = reason
        self.socket.close()
        host, port = self.address
        error = kafka_errors.KafkaConnectionError(f"connection to {host}:{port} lost: {reason!r}")
        while self._in_flight:
            self._in_flight.popleft().handler(None, error)

    def _finish_connect(self, now: float) -> None:
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise ConnectionError(code, f"cannot connect to {self.address[0]}:{self.address[1]}")
        self.state = ConnectionState.HANDSHAKE
        request = ApiVersionsRequest(version=3, client_software_name="kafkalab", client_software_version="0")
        self.send(request, self._on_versions, now, self._setup_deadline - now)

    def _on_versions(self, response: Any, error: BaseException | None) -> None:
        if error is not None:
            return
        if response.error_code:
            raise kafka_errors.for_code(response.error_code)(
                f"{self.address} refused ApiVersions 3: Kafka 2.4 or later is needed"
            )
        versions = {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}
        self._versions = BrokerVersionData(api_versions=versions)
        levels = {feature.name: feature.max_version_level for feature in response.finalized_features or ()}
        self.features = (response.finalized_features_epoch, levels)
        self.state = ConnectionState.READY

    def write(self) -> None:
        """Send what the socket takes; requests without an answer are done when they have left."""
        while self._out and self.state is not ConnectionState.CONNECTING:
            try:
                sent = self.socket.send(self._out)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self.close(error)
                return
            del self._out[:sent]
            self._sent += sent
        self._settle_departed()

    def _settle_departed(self) -> None:
        """Finish the oldest requests that expect no answer and have left."""
        while (
            self._in_flight
            and not self._in_flight[0].expects_answer
            and self._in_flight[0].ends_at <= self._sent
        ):
            self._in_flight.popleft().handler(None, None)

    def _read(self, now: float) -> None:
        try:
            data = self.socket.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise ConnectionResetError("closed by the broker")
        self.last_used = now
        for _, response in self._parse(data):
            self._in_flight.popleft().handler(response, None)
            self._settle_departed()

    def _parse(self, data: bytes) -> list[tuple[int, Any]]:
        try:
            parsed: list[tuple[int, Any]] = self._protocol.receive_bytes(data)
        except Exception as error:  # a decoder trips over nonsense in ways of its own
            raise kafka_errors.KafkaProtocolError(f"not an answer to what was asked: {error!r}") from error
        return parsed


def _connect(address: tuple[str, int], attempt: int) -> socket.socket:
    """Start connecting to the `attempt`-th of the host's addresses; raises OSError if it has none."""
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{address[0]!r} cannot be a host's name: {error}") from error
    family, kind, protocol, _, target = found[attempt % len(found)]
    connecting = socket.socket(family, kind, protocol)
    connecting.setblocking(False)
    connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = connecting.connect_ex(target)
    if code not in _CONNECTING:
        connecting.close()
        raise ConnectionError(code, f"cannot connect to {address[0]}:{address[1]}")
    return connecting
