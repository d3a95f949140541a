"""The producer's settings: Kafka's names with underscores, Kafka's defaults, Kafka's rules.

All settings are checked together when the producer is made, before any network traffic (the rules
are in config_rules.py); an error names the value, what is allowed and, for a misspelt name, the
nearest one. Three settings are settled by the check: `enable_idempotence` becomes True or False,
`compression_type` None becomes "none", `security_protocol` is in capitals.

Leaves out: client certificates, Kerberos and OAuth. A setting that is not here is refused rather
than ignored.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any, Self

from kafkalab.producer.config_rules import check, idempotent
from kafkalab.producer.errors import ConfigError
from kafkalab.producer.interceptors import ProducerInterceptor
from kafkalab.producer.partitioners import Partitioner
from kafkalab.producer.serializers import Serializer, bytes_serializer

_FOREVER = 2**31 - 1


def _number(default: float, low: float, high: float = _FOREVER) -> Any:
    """Declare a numeric setting with its default and the inclusive range allowed."""
    return field(default=default, metadata={"range": (low, high)})


def _choice(default: str | None, *allowed: str) -> Any:
    """Declare a setting that has one of the values `allowed`."""
    return field(default=default, metadata={"choices": allowed})


@dataclass(frozen=True, kw_only=True)
class ProducerConfig:
    """Everything `Producer(...)` accepts, as in Kafka's `ProducerConfig`; times are in ms, sizes in bytes."""

    bootstrap_servers: str | Sequence[str] = "localhost:9092"
    """`host:port` of one or more brokers, separated by commas; the others are learned from them."""
    client_id: str = "kafkalab-producer"
    """Shown in the broker's logs, metrics and quotas."""
    acks: int | str = "all"
    """0: don't wait. 1: the leader has it. "all" (-1): every in-sync replica has it."""
    retries: int = _number(_FOREVER, 0)
    """How often a batch may be sent again; delivery_timeout_ms usually ends it first."""
    max_in_flight_requests_per_connection: int = _number(5, 1)
    """Unanswered requests per broker; above 1, a retry can overtake, unless enable_idempotence is on."""
    request_timeout_ms: float = _number(30_000, 1)
    """How long to wait for one answer before the connection is given up."""
    delivery_timeout_ms: float = _number(120_000, 1)
    """From send() to a verdict, everything included; at least linger_ms + request_timeout_ms."""
    retry_backoff_ms: float = _number(100, 0)
    """Wait before the first retry; doubles up to retry_backoff_max_ms (KIP-580)."""
    retry_backoff_max_ms: float = _number(1_000, 0)
    """Longest wait between retries."""
    batch_size: int = _number(16_384, 0)
    """Target size of one partition's batch; 0 makes every record a batch."""
    linger_ms: float = _number(5, 0)
    """How long a batch that is not full waits for company (5 since Kafka 4.0, KIP-1030)."""
    buffer_memory: int = _number(33_554_432, 1)
    """Memory for all batches of this producer together."""
    max_block_ms: float = _number(60_000, 0)
    """How long send() may wait for metadata and memory."""
    max_request_size: int = _number(1_048_576, 1)
    """Largest record, and largest request apart from a single large batch."""
    compression_type: str | None = _choice("none", "none", "gzip", "snappy", "lz4", "zstd")
    """How batches are compressed; None is "none"."""
    compression_level: int | None = None
    """gzip 1 to 9 or -1, lz4 1 to 17, zstd -131072 to 22 (KIP-390); None is -1, 9 and 3."""
    enable_idempotence: bool | None = None
    """Retries store nothing twice and keep the order (KIP-98); None is True, if acks and retries allow."""
    transactional_id: str | None = None
    """Name of the one producer whose records appear together or not at all; None for no transactions."""
    transaction_timeout_ms: int = _number(60_000, 1)
    """The coordinator aborts a transaction that is open for longer."""
    partitioner: Partitioner | None = None
    """Chooses partitions; None is the default of KIP-794."""
    partitioner_ignore_keys: bool = False
    """Let the default partitioner treat every record as if it had no key."""
    partitioner_adaptive_partitioning_enable: bool = True
    """Give fewer records without a key to partitions of slow brokers (KIP-794)."""
    partitioner_availability_timeout_ms: float = _number(0, 0)
    """Give none to partitions whose broker has taken nothing for this long; 0: no such limit."""
    interceptors: Sequence[ProducerInterceptor] = ()
    """See and change records before serialization, learn of acknowledgements (KIP-42)."""
    key_serializer: Serializer = bytes_serializer
    """Turns keys into bytes: `(topic, key) -> bytes`."""
    value_serializer: Serializer = bytes_serializer
    """Turns values into bytes: `(topic, value) -> bytes`."""
    metadata_max_age_ms: float = _number(300_000, 1)
    """Look for new partitions and leaders at least this often."""
    reconnect_backoff_ms: float = _number(50, 0)
    """Wait after a connection failed; doubles up to a second."""
    connections_max_idle_ms: float = _number(540_000, 1)
    """Close connections unused for this long."""
    security_protocol: str = _choice("PLAINTEXT", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
    """SSL: encrypted (TLS). SASL: with a login. Must be what the broker's listener speaks."""
    sasl_mechanism: str | None = _choice(None, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
    """How to log in; has to be given with SASL. PLAIN shows the password to the broker, SCRAM does not."""
    sasl_plain_username: str | None = None
    """Who logs in, whatever the mechanism."""
    sasl_plain_password: str | None = field(default=None, repr=False)
    """The password; never shown by us. (kafka-python's DEBUG log shows every byte sent, PLAIN's included.)"""
    ssl_cafile: str | PathLike[str] | None = None
    """PEM file of the authorities that may vouch for brokers; None is the system's own."""
    ssl_endpoint_identification_algorithm: str = _choice("https", "https", "")
    """"https": the broker's certificate must name the host we connect to; "" takes any name."""

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Self:
        """Return the configuration for keyword arguments; raises ConfigError."""
        known = [each.name for each in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                nearest = difflib.get_close_matches(name.replace(".", "_"), known, n=1, cutoff=0.5)
                hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
                raise ConfigError(f"unknown setting {name!r}: {hint}")
        return cls(**settings)

    def __post_init__(self) -> None:
        settle = partial(object.__setattr__, self)  # nobody else may
        settle("compression_type", "none" if self.compression_type is None else self.compression_type)
        settle("security_protocol", str(self.security_protocol).upper())
        check(self)
        settle("enable_idempotence", idempotent(self))
        _ = self.bootstrap_addresses

    @property
    def required_acks(self) -> int:
        """`acks` as the protocol has it: 0, 1 or -1."""
        return -1 if self.acks == "all" else int(self.acks)

    @property
    def bootstrap_addresses(self) -> list[tuple[str, int]]:
        """`bootstrap_servers` as (host, port) pairs; raises ConfigError."""
        servers: object = self.bootstrap_servers
        if isinstance(servers, str):
            servers = [server for server in servers.split(",") if server.strip()]
        if not isinstance(servers, Sequence) or not servers:
            raise ConfigError(f'bootstrap_servers={servers!r} names no broker: give "host:port,host:port"')
        return [_address(server) for server in servers]


def _address(server: object) -> tuple[str, int]:
    host, _, port = str(server).strip().rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f'bootstrap server {server!r} is not "host:port" with a port from 1 to 65535')
    return host.strip("[]"), int(port)
