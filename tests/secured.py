"""One real broker with a listener for every way of getting in, for tests of TLS and logins.

| Listener | Wants |
|---|---|
| CLIENT | TLS and a login |
| TLS | TLS |
| LOGIN | a login in the clear |
| SESSION | the same, for SESSION_MS at a time (KIP-368) |
| INTERNAL | nothing |

Its certificate names 127.0.0.1 and nothing else.
"""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion
from rich.console import Console

from kafkalab.cluster import embedded, keeper
from kafkalab.cluster.brokers import Brokers
from kafkalab.cluster.healing import await_members
from kafkalab.cluster.ports import free_ports
from kafkalab.cluster.wire import Address

PASSWORD = "secret"
SESSION_MS = 1_500
USERS = {
    "PLAIN": f'org.apache.kafka.common.security.plain.PlainLoginModule required user_ada="{PASSWORD}";',
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
}
SCRAM_USER = "ada, lady="  # needs escaping
NAMES = {"PLAIN": "ada", "SCRAM-SHA-256": SCRAM_USER, "SCRAM-SHA-512": SCRAM_USER}
PROTOCOLS = {"CLIENT": "SASL_SSL", "TLS": "SSL", "LOGIN": "SASL_PLAINTEXT", "SESSION": "SASL_PLAINTEXT"}


@dataclass(frozen=True)
class SecuredBroker:
    """Where it listens, by listener, and the file of the authority that signed its certificate."""

    addresses: dict[str, str]
    ca: Path


@contextlib.contextmanager
def secured_broker(directory):
    """Run the broker; its files are in `directory`."""
    embedded.prepare(Console(quiet=True), "lab")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    (directory / "key.pem").write_bytes(key_and_chain(authority.issue_cert("127.0.0.1")))
    backend = embedded.Embedded(directory)
    controller, broker = keeper.plan(backend, keeper.new_id(), 1, "lab")
    listeners = dict(
        zip(PROTOCOLS, [broker.place.published_port, *free_ports(len(PROTOCOLS) - 1)], strict=True)
    )
    inside = Address(broker.place.internal_host, broker.place.internal_port)
    broker = replace(broker, properties=broker.properties | settings(directory, listeners, inside))
    try:
        backend.start([controller, broker])
        await_members(Brokers(lambda: {1: inside}, lambda: [1], evidence=lambda: backend.log_tail(1)))
        add_scram_user(inside)
        addresses = {name: f"127.0.0.1:{port}" for name, port in listeners.items()}
        yield SecuredBroker({**addresses, "INTERNAL": str(inside)}, directory / "ca.pem")
    finally:
        backend.close()


def settings(directory, listeners, inside):
    """Return what server.properties needs beyond the lab's."""
    where = ",".join(
        [*(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()), f"INTERNAL://{inside}"]
    )
    protocols = {**PROTOCOLS, "INTERNAL": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    made = {
        "listeners": where,
        "advertised.listeners": where,
        "listener.security.protocol.map": ",".join(f"{name}:{value}" for name, value in protocols.items()),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(directory / "key.pem"),
    }
    for name in ("client", "login", "session"):
        made[f"listener.name.{name}.sasl.enabled.mechanisms"] = ",".join(USERS)
        for mechanism, users in USERS.items():
            made[f"listener.name.{name}.{mechanism.lower()}.sasl.jaas.config"] = users
            if name == "session":
                made[f"listener.name.{name}.{mechanism.lower()}.connections.max.reauth.ms"] = str(SESSION_MS)
    return made


def key_and_chain(certificate):
    """Java reads keys in the PKCS #8 form only."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain


def add_scram_user(address):
    """Have SCRAM_USER log in by both SCRAM mechanisms."""
    admin = KafkaAdminClient(bootstrap_servers=str(address), reconnect_backoff_max_ms=100)
    try:
        for mechanism in ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512:
            credential = UserScramCredentialUpsertion(SCRAM_USER, mechanism, PASSWORD, iterations=4096)
            assert admin.alter_user_scram_credentials([credential]) == {SCRAM_USER: None}
    finally:
        admin.close()
