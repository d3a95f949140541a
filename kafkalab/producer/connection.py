"""One connection to one broker: requests go out, answers come back, in order.

`kafka.protocol` turns messages into bytes and back and does no I/O; this file adds the socket, and
nothing ever blocks on it. A connection lives once: it connects, encrypts if asked to, introduces itself
(handshake.py), is ready, and closed.

Rules: a broker answers a connection's requests in the order they were sent, so the first answer
belongs to the oldest request; whatever ends the connection fails everything unanswered with the same
error, oldest first; an answer later than its deadline ends it, too, since nothing can be skipped;
a broker that throttles us is left alone for as long as it says (KIP-219), and a login that ends is
renewed by a new connection a little earlier (KIP-368; Java logs in again on the old one).

Leaves out: when to connect and to whom (network_client.py); what to say first (handshake.py).
"""

import errno
import selectors
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from kafka import errors as kafka_errors
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.parser import KafkaProtocol

from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import AuthenticationError
from kafkalab.producer.handshake import ConnectionState, Features, introduce
from kafkalab.producer.security import OTHER_END, diagnose

Address: TypeAlias = tuple[str, int]
Handler: TypeAlias = Callable[[Any, BaseException | None], None]
"""Called once per request with (response, None) or (None, error); response None too when acks=0."""

_RECEIVE = 256 * 1024
_TLS_SEND = 64 * 1024  # TLS takes all or nothing, and says so only when all has left
_CONNECTING = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)}
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_TLS_ALERT = b"\x15\x03"  # so a TLS port answers plain text
_SETUP_TIMEOUT_S = 10.0  # socket.connection.setup.timeout.ms
_SESSION_USED = 0.9  # of a login's lifetime; Java takes 85 to 95 %


class InFlight(NamedTuple):
    """A request that waits for its answer, or - without one to come - for its last byte to leave."""

    handler: Handler
    deadline: float
    done_at: float  # position of its last byte in everything this connection ever sends; inf with an answer


class Connection:
    """A non-blocking connection to `address`, encrypted by `tls`, if there is one.

    `target` is one of the address's entries from socket.getaddrinfo; raises OSError.
    """

    def __init__(
        self, address: Address, target: Any, config: ProducerConfig, tls: ssl.SSLContext | None, now: float
    ) -> None:
        self.address = address
        self.where = "{}:{}".format(*address)
        self.state = ConnectionState.CONNECTING
        self.error: BaseException | None = None
        self.created = self.last_used = now
        self.features: Features = (-1, 0)
        self.muted_until = 0.0
        """The broker reads nothing before this time."""
        self.expires_at = float("inf")
        """When to use another connection, as the login ends."""
        self._config, self._tls = config, tls
        self._introduction = introduce(config)
        self._heard = False
        self._protocol = KafkaProtocol(client_id=config.client_id)
        self._versions: BrokerVersionData | None = None
        self._in_flight: deque[InFlight] = deque()
        self._out = bytearray()
        self._queued = self._sent = 0
        self._setup_deadline = now + min(_SETUP_TIMEOUT_S, config.request_timeout_ms / 1000)
        self._wants_write = True
        self.socket = _connect(self.where, target)
        self.fd = self.socket.fileno()
        """The socket's number, which outlives the socket: for the selector."""

    @property
    def in_flight(self) -> int:
        """How many requests are not answered yet."""
        return len(self._in_flight)

    @property
    def interest(self) -> int:
        """The selector events to wait for."""
        writing = self._out or self._wants_write
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)

    @property
    def deadline(self) -> float:
        """When the connection has to be given up if nothing happens: late, unused or used up."""
        if self.state is not ConnectionState.READY:
            return self._setup_deadline
        if self._in_flight:
            return self._in_flight[0].deadline
        return min(self.last_used + self._config.connections_max_idle_ms / 1000, self.expires_at)

    def is_open(self, now: float) -> bool:
        """Tell whether the broker takes requests now."""
        return self.state is ConnectionState.READY and self.muted_until <= now < self.expires_at

    def send(self, request: Any, handler: Handler, now: float, timeout: float) -> None:
        """Queue `request` in the newest version both sides know.

        It leaves with the next `write()`: requests of one turn travel together, because in Python each
        system call lets the application's threads go first.

        `handler` gets the answer, or the error that ended the connection, after `timeout` s at the latest.
        Raises IncompatibleBrokerVersion when there is no common version.
        """
        if self._versions is not None:
            request.API_VERSION = self._versions.api_version(request)
        self._protocol.send_request(request)
        data = self._protocol.send_bytes()
        self._out += data
        self._queued += len(data)
        self.last_used = now
        done_at = float("inf") if request.expect_response() else self._queued
        self._in_flight.append(InFlight(handler, now + timeout, done_at))

    def on_event(self, events: int, now: float) -> None:
        """Go on after the selector reported `events`."""
        self.last_used = now
        try:
            if self.state is ConnectionState.CONNECTING:
                self._finish_connect()
            elif self.state is ConnectionState.ENCRYPTING:
                self._shake_hands()
            elif events & selectors.EVENT_WRITE:
                self.write()
            if events & selectors.EVENT_READ and self.state is not ConnectionState.CLOSED:
                self._read()
        except (OSError, kafka_errors.KafkaError) as error:
            self._break(error)

    def _break(self, error: BaseException) -> None:
        """Close, with the error's likely meaning."""
        ready = self.state is ConnectionState.READY
        unheard = ready and not self._heard and not self._config.sasl_mechanism
        step = "unheard" if unheard else self.state.value
        self.close(diagnose(error, step, self.where, self._config.security_protocol))

    def close(self, reason: BaseException) -> None:
        """Close for `reason` and fail what is unanswered with it, oldest first."""
        if self.state is ConnectionState.CLOSED:
            return
        self.state = ConnectionState.CLOSED
        self.error = reason
        self.socket.close()
        error = kafka_errors.KafkaConnectionError(f"connection to {self.where} lost: {reason!r}")
        while self._in_flight:
            self._in_flight.popleft().handler(None, error)

    # --- from one state to the next ---------------------------------------------------------------

    def _finish_connect(self) -> None:
        if code := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionError(code, f"cannot connect to {self.where}")
        self._wants_write = False
        if self._tls is None:
            self._introduce(None)
            return
        self.state, host = ConnectionState.ENCRYPTING, self.address[0]
        wrap = self._tls.wrap_socket
        self.socket = wrap(self.socket, server_hostname=host, do_handshake_on_connect=False)
        self._shake_hands()

    def _shake_hands(self) -> None:
        """Go on with TLS's handshake as far as what has arrived allows."""
        assert isinstance(self.socket, ssl.SSLSocket)
        try:
            self.socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
            self._wants_write = isinstance(wanted, ssl.SSLWantWriteError)
        else:
            self._wants_write = False
            self._introduce(None)

    def _introduce(self, answer: Any, error: BaseException | None = None) -> None:
        """Say the next thing of the introduction, now that the last one is answered."""
        if error is not None:
            return  # the connection is closed already
        try:
            self.state, request = self._introduction.send(answer)
        except StopIteration as done:
            self._versions, self.features, session_ms = done.value
            if session_ms:
                self.expires_at = self.last_used + session_ms / 1000 * _SESSION_USED
            self.state = ConnectionState.READY
        else:
            self.send(request, self._introduce, self.last_used, float("inf"))

    # --- bytes ------------------------------------------------------------------------------------

    def write(self) -> bool:
        """Send what the socket takes; requests without an answer are done when they have left.

        Return whether any request is done by now, so that its handler may have made work for the sender.
        """
        before = len(self._in_flight)
        self._send_out()
        self._settle_departed()
        return len(self._in_flight) < before

    def _send_out(self) -> None:
        while self._out:
            try:
                sent = self.socket.send(self._out if self._tls is None else self._out[:_TLS_SEND])
            except _WAIT:
                return
            except OSError as error:
                self._break(error)
                return
            del self._out[:sent]
            self._sent += sent

    def _settle_departed(self) -> None:
        """Finish the oldest requests that expect no answer and have left."""
        while self._in_flight and self._in_flight[0].done_at <= self._sent:
            self._in_flight.popleft().handler(None, None)

    def _read(self) -> None:
        """Take what has arrived.

        With TLS that is one record of 16 KiB at most, decrypted whole, so nothing stays behind in a place
        where the selector does not look.
        """
        try:
            data = self.socket.recv(_RECEIVE)
        except _WAIT:
            return
        if not data:
            raise ConnectionResetError("closed by the broker")
        for _, response in self._parse(data):
            if throttle_ms := getattr(response, "throttle_time_ms", None):
                self.muted_until = self.last_used + throttle_ms / 1000
            self._heard = self.state is ConnectionState.READY
            self._in_flight.popleft().handler(response, None)
            self._settle_departed()

    def _parse(self, data: bytes) -> list[tuple[int, Any]]:
        try:
            return list(self._protocol.receive_bytes(data))
        except Exception as error:  # a decoder trips over nonsense in ways of its own
            if self._tls is None and data.startswith(_TLS_ALERT):
                other = OTHER_END[self._config.security_protocol]
                advice = f"the port of {self.where} speaks TLS: set security_protocol to {other}"
                raise AuthenticationError(advice) from error
            raise kafka_errors.KafkaProtocolError(f"not an answer to what was asked: {error!r}") from error


def _connect(where: str, target: Any) -> socket.socket:
    *how, _, endpoint = target
    connecting = socket.socket(*how)
    connecting.setblocking(False)
    connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = connecting.connect_ex(endpoint)
    if code not in _CONNECTING:
        connecting.close()
        raise ConnectionError(code, f"cannot connect to {where}")
    return connecting
