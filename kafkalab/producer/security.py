"""What secures connections, and what it means when securing one fails (Java: `ChannelBuilders`).

TLS is Python's own. Most of this file is advice: the two sides of a connection can disagree about TLS,
certificates and logins, and then each sees only that the other one hangs up.

Rules: a refusal that no retry can mend is an AuthenticationError; a connection that merely ended is
not, since brokers restart, but its message says what else it could mean. A certificate has to be
signed by an authority we know and, unless ssl_endpoint_identification_algorithm is "", name the host.

Leaves out: certificates of the client.
"""

import ssl

from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import AuthenticationError, ConfigError

OTHER_END = {"PLAINTEXT": "'SSL' (or 'SASL_SSL')", "SSL": "'PLAINTEXT' (or 'SASL_PLAINTEXT')"}
OTHER_END |= {"SASL_PLAINTEXT": "'SASL_SSL'", "SASL_SSL": "'SASL_PLAINTEXT'"}
"""What to set security_protocol to if the broker turns out to disagree about TLS."""

_HINTS = {
    "encrypting": "if its port does not speak TLS, set security_protocol to {other}",
    "versions": "if its port speaks TLS, set security_protocol to {other}",
    "authenticating": "check sasl_plain_username and sasl_plain_password",
    "mutual": "if it wants a certificate of the client, this producer has none",
    "unheard": "if its port wants a login, set security_protocol to 'SASL_{protocol}'",
}
_UNTRUSTED = "Set ssl_cafile to the PEM file of the authority that signed it, if you trust that"
_EXPIRED = "It needs a new one, or this computer's clock is wrong"
_WRONG_NAME = (
    "Connect by a name in the certificate, or set ssl_endpoint_identification_algorithm to '' to take any"
)
_ADVICE = {9: _EXPIRED, 10: _EXPIRED, 62: _WRONG_NAME, 64: _WRONG_NAME}
"""By X509_V_ERR_...: not yet valid, has expired, hostname mismatch, IP address mismatch."""
_GONE = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def tls_context(config: ProducerConfig) -> ssl.SSLContext | None:
    """Return what encrypts connections, None without TLS; raises ConfigError for a bad ssl_cafile."""
    if not config.security_protocol.endswith("SSL"):
        return None
    cafile = config.ssl_cafile
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (OSError, TypeError) as error:
        raise ConfigError(
            f"ssl_cafile={cafile!r} holds no certificates: give a PEM file ({error})"
        ) from error
    context.check_hostname = bool(config.ssl_endpoint_identification_algorithm)
    return context


def diagnose(error: BaseException, step: str, where: str, protocol: str) -> BaseException:
    """Return the error to report for `error`, which ended a connection to `where` in the state `step`."""
    other = OTHER_END[protocol]
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"{error.verify_message.rstrip('.')}. {_ADVICE.get(error.verify_code, _UNTRUSTED)}"
        return AuthenticationError(f"the certificate of {where} is refused: {reason}")
    if isinstance(error, ssl.SSLError) and not isinstance(error, _GONE) and step != "ready":
        reason = getattr(error, "reason", None) or str(error)
        hint = _HINTS["mutual" if "CERTIFICATE" in reason else "encrypting"]
        return AuthenticationError(f"TLS with {where} failed: {reason}: {hint.format(other=other)}")
    hint = _HINTS.get(step, "") if isinstance(error, OSError) else ""
    if not hint or isinstance(error, AuthenticationError):
        return error
    if step == "versions" and protocol.endswith("SSL"):
        hint = _HINTS["mutual"]
    return ConnectionAbortedError(f"{where} hung up ({error}): {hint.format(other=other, protocol=protocol)}")
