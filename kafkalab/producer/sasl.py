"""SASL: how a client proves who it is, as conversations (KIP-12, KIP-43, KIP-84; Java: `SaslClient`).

A conversation is a generator: it yields what to say next and is sent what the broker answered, so it
knows nothing of sockets or requests. When it returns, the broker is convinced.

Rules: no password, nor anything computed from one, gets into an error's message.

Leaves out: GSSAPI (Kerberos), OAUTHBEARER, and the wrapping of later traffic, which Kafka does not use.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias

from kafka import errors as kafka_errors
from scramp import ScramClient, ScramException

from kafkalab.producer.errors import AuthenticationError

Conversation: TypeAlias = Generator[bytes, bytes, None]


def conversation(mechanism: str, username: str, password: str) -> Conversation:
    """Return the conversation of `mechanism`: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    return plain(username, password) if mechanism == "PLAIN" else scram(mechanism, username, password)


def plain(username: str, password: str) -> Conversation:
    """Say name and password (RFC 4616): whoever listens knows them, so do it inside TLS."""
    yield f"\0{username}\0{password}".encode()


def scram(mechanism: str, username: str, password: str) -> Conversation:
    """Show that we know the password without saying it, and have the broker show that, too (RFC 5802)."""
    try:
        client = ScramClient([mechanism], username, password)
        challenge = yield client.get_client_first().encode()
        client.set_server_first(challenge.decode())
        proof = yield client.get_client_final().encode()
        client.set_server_final(proof.decode())
    except (ScramException, UnicodeDecodeError) as error:
        raise AuthenticationError(f"{mechanism} for user {username!r} failed: {error}") from None


def check(response: Any, mechanism: str, username: str) -> None:
    """Raise AuthenticationError if the broker's answer to SaslHandshake or SaslAuthenticate is a refusal."""
    if not response.error_code:
        return
    kind = kafka_errors.for_code(response.error_code)
    if kind is kafka_errors.UnsupportedSaslMechanismError:
        offered = ", ".join(response.mechanisms)
        advice = f"the broker does not offer sasl_mechanism={mechanism!r}: use one of {offered}"
    elif kind is kafka_errors.IllegalSaslStateError:
        advice = (
            "the broker wants no login here: set security_protocol to 'PLAINTEXT' or 'SSL', without sasl_*"
        )
    else:
        said = getattr(response, "error_message", None) or kind.__name__
        advice = (
            f"the broker refused user {username!r} ({mechanism}): {said}. "
            "Check sasl_plain_username and sasl_plain_password"
        )
    raise AuthenticationError(advice)
