"""What secures connections, and what it means when securing one fails (Java: `ChannelBuilders`).

TLS is Python's own. Most of this file is advice: the two sides of a connection can disagree about TLS,
certificates and logins, and then each sees only that the other one hangs up.

Rules: a refusal that no retry can mend is an AuthenticationError; a connection that merely ended is
not, since brokers restart, but its message says what else it could mean. A certificate has to be
signed by an authority we know and, unless ssl_endpoint_identification_algorithm is "", name the host.

Leaves out: certificates of the client.
"""

from __future__ import annotations

import socket
import ssl

from kafkalab.producer import sasl
from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import AuthenticationError, ConfigError

OTHER_END = {
    "PLAINTEXT": "'SSL' (or 'SASL_SSL')",
    "SASL_PLAINTEXT": "'SASL_SSL'",
    "SSL": "'PLAINTEXT' (or 'SASL_PLAINTEXT')",
    "SASL_SSL": "'SASL_PLAINTEXT'",
}
"""What to set security_protocol to if the broker turns out to disagree about TLS."""


class Security:
    """How one producer secures its connections. Raises ConfigError when ssl_cafile holds no certificates."""

    def __init__(self, config: ProducerConfig) -> None:
        self._config = config
        self.protocol = config.security_protocol
        self.tls = self.protocol.endswith("SSL")
        self._context = _context(config) if self.tls else None

    def encrypt(self, plain: socket.socket, host: str) -> ssl.SSLSocket:
        """Return `plain` wrapped in TLS; the handshake is the caller's, as the socket may not block."""
        assert self._context is not None
        try:
            return self._context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        except ValueError as error:
            raise AuthenticationError(f"{host!r} cannot be the name in a certificate: {error}") from error

    @property
    def mechanism(self) -> str:
        """How to log in."""
        return self._config.sasl_mechanism or ""

    def login(self) -> sasl.Conversation:
        """Return a new conversation that logs in."""
        user, password = self._config.sasl_plain_username or "", self._config.sasl_plain_password or ""
        return sasl.conversation(self.mechanism, user, password)

    def check(self, response: object) -> None:
        """Raise AuthenticationError if the broker's answer is a refusal."""
        sasl.check(response, self.mechanism, self._config.sasl_plain_username or "")


def _context(config: ProducerConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.ssl_cafile)
    except OSError as error:
        raise ConfigError(
            f"ssl_cafile={str(config.ssl_cafile)!r} holds no certificates: give a PEM file ({error})"
        ) from error
    context.check_hostname = bool(config.ssl_endpoint_identification_algorithm)
    return context


def is_tls(data: bytes) -> bool:
    """Tell whether what came in place of an answer is a TLS alert: so a TLS port answers plain text."""
    return data.startswith(b"\x15\x03")


_GONE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_WRONG_NAME = {62, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED = {9, 10}


def diagnose(error: BaseException, step: str, where: str, protocol: str) -> BaseException:
    """Return the error to report for `error`, which ended a connection to `where` in the state `step`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return AuthenticationError(f"the certificate of {where} is refused: {_about(error)}")
    if isinstance(error, ssl.SSLError) and not isinstance(error, _GONE) and step != "ready":
        return AuthenticationError(f"TLS with {where} failed: {_reason(error, protocol)}")
    hint = _HINTS.get(step, "") if isinstance(error, OSError) else ""
    if not hint or isinstance(error, AuthenticationError):
        return error
    if step == "versions" and protocol.endswith("SSL"):
        hint = "if it wants a certificate of the client, this producer has none"
    advice = hint.format(other=OTHER_END[protocol], protocol=protocol)
    return ConnectionAbortedError(f"{where} hung up ({error}): {advice}")


_HINTS = {
    "encrypting": "if its port does not speak TLS, set security_protocol to {other}",
    "versions": "if its port speaks TLS, set security_protocol to {other}",
    "authenticating": "check sasl_plain_username and sasl_plain_password",
    "unheard": "if its port wants a login, set security_protocol to 'SASL_{protocol}'",
}


def _about(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _WRONG_NAME:
        return (
            f"{error.verify_message} Connect by a name in the certificate, "
            'or set ssl_endpoint_identification_algorithm to "" to take any'
        )
    if error.verify_code in _EXPIRED:
        return f"{error.verify_message}: it needs a new one, or this computer's clock is wrong"
    return (
        f"{error.verify_message}. Set ssl_cafile to the PEM file of the authority that signed it, "
        "if you trust that"
    )


def _reason(error: ssl.SSLError, protocol: str) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if "CERTIFICATE" in reason:
        return f"{reason}: the broker wants a certificate of the client, and this producer has none"
    return f"{reason}. If its port does not speak TLS, set security_protocol to {OTHER_END[protocol]}"
