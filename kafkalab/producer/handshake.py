"""What a new connection says before it carries records (KIP-43, KIP-84; Java: `SaslClientAuthenticator`).

    CONNECTING ─▶ ENCRYPTING ─▶ VERSIONS ─▶ OFFERING ─▶ AUTHENTICATING ─▶ READY ─▶ CLOSED
                  with SSL      which do    is our SASL  name and
                                we share?   mechanism    password,
                                            known?       with SASL

Rules: from VERSIONS on it is a generator that yields the state and the request to send in it, and is
sent the answer; so it knows nothing of sockets. A refusal is an AuthenticationError; no password, nor
anything computed from one, gets into its message.

Leaves out: GSSAPI (Kerberos), OAUTHBEARER, and the wrapping of later traffic, which Kafka does not use.
"""

from collections.abc import Generator
from enum import Enum
from typing import Any, TypeAlias

from kafka import errors as kafka_errors
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest
from scramp import ScramClient, ScramException

from kafkalab.producer.config import ProducerConfig
from kafkalab.producer.errors import AuthenticationError


class ConnectionState(Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"
    ENCRYPTING = "encrypting"
    VERSIONS = "versions"
    OFFERING = "offering"
    AUTHENTICATING = "authenticating"
    READY = "ready"
    CLOSED = "closed"


Step: TypeAlias = tuple[ConnectionState, Any]
Features: TypeAlias = tuple[int, int]
"""The cluster's transaction.version (0: none), after a number that tells how new the news is (KIP-584)."""
Agreed: TypeAlias = tuple[BrokerVersionData, Features, int]
"""What broker and client share, and for how many ms the login is good (KIP-368), 0 for always."""


def introduce(config: ProducerConfig) -> Generator[Step, Any, Agreed]:
    """Ask for the broker's versions, and log in if `config` says so."""
    request = ApiVersionsRequest(version=3, client_software_name="kafkalab", client_software_version="0")
    response = yield ConnectionState.VERSIONS, request
    if response.error_code:
        refused = kafka_errors.for_code(response.error_code)
        raise refused("ApiVersions 3 refused: Kafka 2.4 or later is needed")
    versions = {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}
    levels = {feature.name: feature.max_version_level for feature in response.finalized_features or ()}
    features = response.finalized_features_epoch, levels.get("transaction.version", 0)
    session_ms = (yield from _log_in(config)) if config.sasl_mechanism else 0
    return BrokerVersionData(api_versions=versions), features, session_ms


def _log_in(config: ProducerConfig) -> Generator[Step, Any, int]:
    """Log in by SASL; return for how many ms."""
    mechanism, user = str(config.sasl_mechanism), str(config.sasl_plain_username)
    response = yield ConnectionState.OFFERING, SaslHandshakeRequest(mechanism=mechanism, version=1)
    check(response, mechanism, user)
    talk = conversation(mechanism, user, str(config.sasl_plain_password))
    said = next(talk)
    while True:
        request = SaslAuthenticateRequest(auth_bytes=said, version=1)
        response = yield ConnectionState.AUTHENTICATING, request
        check(response, mechanism, user)
        try:
            said = talk.send(response.auth_bytes)
        except StopIteration:
            return response.session_lifetime_ms or 0


def conversation(mechanism: str, username: str, password: str) -> Generator[bytes, bytes, None]:
    """Yield what to say next, and be sent what the broker answered; after the last, it is convinced.

    PLAIN says name and password (RFC 4616): whoever listens knows them, so do it inside TLS. SCRAM shows
    that we know the password without saying it, and has the broker show that, too (RFC 5802).
    """
    if mechanism == "PLAIN":
        yield f"\0{username}\0{password}".encode()
        return
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
        advice = "the broker wants no login here: use security_protocol 'PLAINTEXT' or 'SSL', without sasl_*"
    else:
        said = getattr(response, "error_message", None) or kind.__name__
        refused = f"the broker refused user {username!r} ({mechanism}): {said}"
        advice = f"{refused}. Check sasl_plain_username and sasl_plain_password"
    raise AuthenticationError(advice)
