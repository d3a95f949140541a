"""What a new connection says before it carries records (Java: `SaslClientAuthenticator`).

    CONNECTING ─▶ ENCRYPTING ─▶ VERSIONS ─▶ OFFERING ─▶ AUTHENTICATING ─▶ READY ─▶ CLOSED
                  with SSL      which do    is our SASL  name and
                                we share?   mechanism    password,
                                            known?       with SASL

Rules: from VERSIONS on it is a generator that yields the state and the request to send in it, and is
sent the answer; so it knows nothing of sockets. A refusal is an AuthenticationError.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from kafka import errors as kafka_errors
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.metadata import ApiVersionsRequest
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from kafkalab.producer.security import Security


class ConnectionState(Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"
    ENCRYPTING = "encrypting"
    VERSIONS = "versions"
    OFFERING = "offering"
    AUTHENTICATING = "authenticating"
    READY = "ready"
    CLOSED = "closed"


class Features(NamedTuple):
    """What the whole cluster has agreed on (KIP-584): a level for each feature, and how new the news is."""

    epoch: int
    levels: dict[str, int]


class Agreed(NamedTuple):
    """What broker and client agreed on; the login is good for `session_ms` (KIP-368), 0 for always."""

    versions: BrokerVersionData
    features: Features
    session_ms: int = 0


Step: TypeAlias = tuple[ConnectionState, Any]


def introduce(security: Security) -> Generator[Step, Any, Agreed]:
    """Ask for the broker's versions, and log in if `security` says so."""
    request = ApiVersionsRequest(version=3, client_software_name="kafkalab", client_software_version="0")
    response = yield ConnectionState.VERSIONS, request
    if response.error_code:
        raise kafka_errors.for_code(response.error_code)(
            "ApiVersions 3 refused: Kafka 2.4 or later is needed"
        )
    versions = {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}
    known = BrokerVersionData(api_versions=versions)
    levels = {feature.name: feature.max_version_level for feature in response.finalized_features or ()}
    features = Features(response.finalized_features_epoch, levels)
    return Agreed(known, features, (yield from _log_in(security, known)) if security.mechanism else 0)


def _log_in(security: Security, versions: BrokerVersionData) -> Generator[Step, Any, int]:
    """Log in by SASL; return for how many ms."""
    response = yield ConnectionState.OFFERING, SaslHandshakeRequest(mechanism=security.mechanism, version=1)
    security.check(response)
    conversation = security.login()
    said = next(conversation)
    while True:
        request = SaslAuthenticateRequest(auth_bytes=said)
        request.API_VERSION = versions.api_version(request)
        response = yield ConnectionState.AUTHENTICATING, request
        security.check(response)
        try:
            said = conversation.send(response.auth_bytes)
        except StopIteration:
            return getattr(response, "session_lifetime_ms", None) or 0
