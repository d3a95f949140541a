"""A connection to the real broker, with TLS and login where the cluster wants them.

Rules: the proxy is a client of its own there, so that a plaintext client reaches a secured cluster. One
thread reads and another writes; a TLS object must not be used by two at once, so it has a lock, and neither
thread holds it while it waits.
"""

import select
import socket
import ssl
import threading
from typing import Protocol

from kafkalab.cluster.wire import Address, Connection, Security
from kafkalab.faults.frames import Source


class Channel(Source, Protocol):
    """What a link needs of a connection; a plain socket has it."""

    def sendall(self, data: bytes | memoryview, /) -> None:
        """Send everything."""

    def shutdown(self, how: int, /) -> None:
        """End one direction or both, and wake who waits."""

    def close(self) -> None:
        """Give the connection up."""


def dial(address: Address, security: Security, timeout: float) -> Channel:
    """Connect and log in, within `timeout` seconds. Raises OSError, ClusterError."""
    connected = Connection(address, security, timeout).detach()
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(None)
    return TlsChannel(connected) if isinstance(connected, ssl.SSLSocket) else connected


class TlsChannel:
    """A TLS connection that one thread may read while another writes."""

    def __init__(self, connected: ssl.SSLSocket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._lock = threading.Lock()

    def recv_into(self, buffer: memoryview, size: int = 0, flags: int = 0) -> int:
        """Read what is there; 0 at the end. Size and flags are a socket's, and of no use here."""
        del size, flags
        while True:
            with self._lock:
                try:
                    return self._socket.recv_into(buffer)
                except ssl.SSLWantReadError:
                    pass
            select.select([self._socket], [], [])

    def sendall(self, data: bytes | memoryview) -> None:
        """Send everything."""
        rest = memoryview(data)
        while rest:
            with self._lock:
                try:
                    sent = self._socket.send(rest)
                except ssl.SSLWantWriteError:
                    sent = 0
            rest = rest[sent:]
            if not sent:
                select.select([], [self._socket], [])

    def shutdown(self, how: int) -> None:
        """End one direction or both (without TLS's good-bye), and wake who waits."""
        socket.socket.shutdown(self._socket, how)

    def close(self) -> None:
        """Give the connection up."""
        self._socket.close()
