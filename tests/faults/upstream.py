"""A broker that answers whatever it is asked, and a client that speaks in frames, to put a proxy between.

The broker answers Metadata with itself as node 1, Produce with success, and all else with the request's own
body. While `may_answer` is clear it keeps its answers.
"""

import contextlib
import socket
import socketserver
import struct
import threading

from kafka.protocol.metadata import MetadataResponse

from kafkalab.faults.answers import make
from kafkalab.faults.frames import Request

PRODUCE, METADATA, ANY = 0, 3, 99
"""An API that nobody knows: its frames pass undecoded."""


class Upstream:
    def __init__(self):
        self.seen = []
        self.connections = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.upstream = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self):
        return "{}:{}".format(*self._server.server_address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.may_answer.set()
        self._server.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join(5)

    def answer(self, frame):
        """Return the answer's bytes; none for acks=0."""
        key, version, correlation_id = struct.unpack_from(">hhi", frame)
        body = frame[8:]
        if key == PRODUCE:
            request = Request(struct.pack(">i", len(frame)) + frame, 1, {})
            return make(request, 0) if request.has_answer else b""
        if key == METADATA:
            host, port = self._server.server_address
            broker = MetadataResponse.MetadataResponseBroker(node_id=1, host=host, port=port, rack=None)
            message = MetadataResponse(version=version, brokers=[broker], controller_id=1, topics=[])
            body = message.encode()
        return struct.pack(">ii", 4 + len(body), correlation_id) + body


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        upstream = self.server.upstream
        upstream.connections.append(self.request)
        with contextlib.suppress(OSError):
            while frame := read_frame(self.request):
                if struct.unpack_from(">h", frame)[0] != METADATA:
                    upstream.seen.append(frame[8:])
                    upstream.may_answer.wait()
                self.request.sendall(upstream.answer(frame))


class Peer:
    """A client in frames."""

    def __init__(self, address, client_id=b"peer"):
        host, _, port = address.partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.client_id = client_id

    def send(self, correlation_id, body=b"", key=ANY, version=0):
        self.socket.sendall(frame_of(correlation_id, body, key, version, self.client_id))

    def receive(self):
        """Return correlation id and body; None at an orderly end. Raises ConnectionResetError."""
        frame = read_frame(self.socket)
        return (struct.unpack_from(">i", frame)[0], frame[4:]) if frame else None

    def silent_for(self, seconds):
        """Tell whether nothing comes, not even an end."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(5)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def frame_of(correlation_id, body, key=ANY, version=0, client_id=b"peer"):
    head = struct.pack(">hhih", key, version, correlation_id, len(client_id)) + client_id
    return struct.pack(">i", len(head) + len(body)) + head + body


def read_frame(connection):
    size = _exactly(connection, 4)
    return _exactly(connection, struct.unpack(">i", size)[0]) if size else b""


def _exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data
