"""Ask one broker one question: a blocking request over a connection of its own.

Rules
- Made for looking from outside, while brokers are dead or frozen: the caller says which broker is asked,
  every call has a deadline, nothing is retried or cached here. (kafka-python's clients choose a broker
  themselves and may choose a dead one.)
- Messages and framing are kafka-python's `kafka.protocol`; versions are fixed in the requests.
- A network failure is an OSError, a protocol error stays in the response for the caller to judge.
"""

import base64
import hashlib
import hmac
import os
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import kafka.errors
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from kafkalab.cluster.errors import ClusterError

CLIENT_ID = "kafkalab-cluster"
TIMEOUT_S = 5.0


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Security:
    """How to get in; field names and values as in Kafka's client configuration."""

    protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: str = ""
    password: str = ""
    cafile: str | None = None

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether the broker wants a user name."""
        return self.protocol.startswith("SASL_")


PLAINTEXT = Security()


class Connection:
    """One connection to one broker; a context manager. Not thread-safe."""

    def __init__(self, address: Address, security: Security = PLAINTEXT, timeout: float = TIMEOUT_S) -> None:
        """Connect, and log in if `security` says so; `timeout` (seconds) then holds for each answer."""
        self._framing = KafkaProtocol(client_id=CLIENT_ID)
        self._socket = socket.create_connection(address, timeout=timeout)
        try:
            if security.tls:
                self._socket = _tls(self._socket, address.host, security)
            if security.sasl:
                log_in(self, security)
        except BaseException:
            self._socket.close()
            raise

    def call(self, request: Any) -> Any:
        """Send one request of `kafka.protocol` and return its response, decoded."""
        self._framing.send_request(request)
        self._socket.sendall(self._framing.send_bytes())
        while True:
            data = self._socket.recv(1 << 18)
            if not data:
                raise ConnectionResetError("the broker closed the connection")
            for _, response in self._received(data):
                return response

    def _received(self, data: bytes) -> Any:
        try:
            return self._framing.receive_bytes(data)
        except kafka.errors.KafkaError as error:
            # Such as a TLS alert, which is what a secured broker answers to plain text.
            raise ConnectionAbortedError(f"that is no Kafka answer: {error}") from error

    def detach(self) -> socket.socket:
        """Give the connected socket away, logged in; the caller closes it."""
        return self._socket

    def close(self) -> None:
        """Close; may be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def call(address: Address, request: Any, security: Security = PLAINTEXT, timeout: float = TIMEOUT_S) -> Any:
    """Ask one question over a new connection; `timeout` in seconds. Raises OSError."""
    with Connection(address, security, timeout) as connection:
        return connection.call(request)


def check(error_code: int, what: str, message: str | None = None) -> None:
    """Raise kafka-python's exception for a non-zero error code, with `what` was tried."""
    if error_code:
        error = kafka.errors.for_code(error_code)
        raise error(f"{what}: {message or error.description}")


def versions(address: Address, security: Security = PLAINTEXT, timeout: float = TIMEOUT_S) -> Any:
    """Return the broker's ApiVersions response: API versions and finalised features."""
    request = ApiVersionsRequest(client_software_name="kafkalab", client_software_version="0", version=3)
    return call(address, request, security, timeout)


def _tls(plain: socket.socket, host: str, security: Security) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=security.cafile)
    return context.wrap_socket(plain, server_hostname=host)


def log_in(connection: Connection, security: Security) -> None:
    """Authenticate by SASL PLAIN or SCRAM. Raises ClusterError when the mechanism or password is wrong."""
    handshake = connection.call(SaslHandshakeRequest(mechanism=security.mechanism, version=1))
    if handshake.error_code:
        raise ClusterError(
            f"KAFKALAB_SECURITY_SASL_MECHANISM={security.mechanism} is not offered by the broker; "
            f"it offers {', '.join(handshake.mechanisms)}."
        )
    if security.mechanism == "PLAIN":
        _authenticate(connection, f"\0{security.username}\0{security.password}".encode())
    elif security.mechanism in SCRAM_HASHES:
        _scram(connection, security)
    else:
        raise ClusterError(
            f"KAFKALAB_SECURITY_SASL_MECHANISM={security.mechanism} is not known here; "
            f"known are PLAIN, {', '.join(SCRAM_HASHES)}."
        )


SCRAM_HASHES = {"SCRAM-SHA-256": hashlib.sha256, "SCRAM-SHA-512": hashlib.sha512}


def _scram(connection: Connection, security: Security) -> None:
    """RFC 5802: prove that we know the password without sending it."""
    digest = SCRAM_HASHES[security.mechanism]
    name = security.username.replace("=", "=3D").replace(",", "=2C")
    first = f"n={name},r={base64.b64encode(os.urandom(24)).decode()}"
    challenge = _authenticate(connection, f"n,,{first}".encode()).decode()
    given = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac(
        digest().name, security.password.encode(), base64.b64decode(given["s"]), int(given["i"])
    )
    final = f"c=biws,r={given['r']}"
    client_key = hmac.digest(salted, b"Client Key", digest)
    signature = hmac.digest(digest(client_key).digest(), f"{first},{challenge},{final}".encode(), digest)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    _authenticate(connection, f"{final},p={base64.b64encode(proof).decode()}".encode())


def _authenticate(connection: Connection, data: bytes) -> bytes:
    answer = connection.call(SaslAuthenticateRequest(auth_bytes=data, version=2))
    if answer.error_code:
        raise ClusterError(
            f"The broker refused the login: {answer.error_message}. "
            "Check KAFKALAB_SECURITY_SASL_USERNAME and KAFKALAB_SECURITY_SASL_PASSWORD."
        )
    return bytes(answer.auth_bytes)
