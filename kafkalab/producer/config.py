"""The producer's settings: Kafka's names with underscores, Kafka's defaults, Kafka's rules.

All settings are checked together when the producer is made, before any network traffic (Java:
`ProducerConfig.postProcessParsedConfig`); an error names the value, what is allowed and, for a misspelt
name, the nearest one. Three settings are settled then: `enable_idempotence` becomes True or False,
`compression_type` None becomes "none", `security_protocol` is in capitals.

A rule is a pair: whether it is broken, and what to say then: what is wrong, what is allowed, what to
change. The first that is broken raises ConfigError; those behind it may rely on it.

Rules: idempotence is on unless acks or retries rule it out; asking for both is an error; passwords
appear in no message.

Leaves out: client certificates, Kerberos and OAuth. A setting that is not here is refused rather
than ignored.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from os import PathLike
from typing import Any, Self, TypeAlias

from kafkalab.producer.errors import ConfigError
from kafkalab.producer.interceptors import ProducerInterceptor
from kafkalab.producer.partitioners import Partitioner
from kafkalab.producer.serializers import Serializer, bytes_serializer

_FOREVER = 2**31 - 1
Rules: TypeAlias = Iterator[tuple[bool, str]]

LEVELS = {"gzip": (1, 9), "lz4": (1, 17), "zstd": (-131072, 22)}
"""Lowest and highest compression_level by compression_type (KIP-390); gzip knows -1, its default, too."""
MAX_IN_FLIGHT = 5
"""A broker remembers this many batches per producer and partition, and so recognises what comes again."""

_TYPES: dict[str, Any] = {"str": str, "bool": bool, "int": int, "float": (int, float)}
_WANTED = {"str": "a str", "bool": "True or False", "int": "a whole number", "float": "a number"}
_SASL = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


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


# --- the rules ------------------------------------------------------------------------------------


def check(config: ProducerConfig) -> None:
    """Raise ConfigError if the settings are wrong."""
    rules = [_alone(each, getattr(config, each.name)) for each in dataclasses.fields(config)]
    rules += [_steps(config), _numbers(config), _idempotence(config), _security(config)]
    for broken, message in chain.from_iterable(rules):
        if broken:
            raise ConfigError(message)


def _alone(each: dataclasses.Field[Any], value: Any) -> Rules:
    """Check one setting by its declared type, choices and range."""
    declared = str(each.type)
    if value is None and "None" in declared:
        return
    if choices := each.metadata.get("choices"):
        yield (
            value not in choices,
            f"{each.name}={value!r} is unknown: use one of {', '.join(map(repr, choices))}",
        )
    elif (kind := declared.removesuffix(" | None")) in _TYPES:
        types, wanted = _TYPES[kind], _WANTED[kind]
        low, high = each.metadata.get("range", (None, None))
        wanted += "" if low is None else f" from {low} to {high}"
        shown = f"{each.name}={value!r}" if each.repr else each.name
        wrong = not isinstance(value, types) or (isinstance(value, bool) and types is not bool)
        yield wrong, f"{shown} is a {type(value).__name__}: give {wanted}"
        yield low is not None and not low <= value <= high, f"{shown} is out of range: give {wanted}"


def _steps(config: ProducerConfig) -> Rules:
    """Check the objects that do a step of send()."""
    for name in ("key_serializer", "value_serializer"):
        given = getattr(config, name)
        yield not callable(given), f"{name}={given!r} is not callable: give a function (topic, data) -> bytes"
    guests, chooser = config.interceptors, config.partitioner
    yield not isinstance(guests, Sequence), f"interceptors={guests!r} is no list: give [MyInterceptor(), ...]"
    yield (
        chooser is not None and not callable(getattr(chooser, "partition", None)),
        f"partitioner={chooser!r} has no partition() method: see partitioners.Partitioner",
    )


def _numbers(config: ProducerConfig) -> Rules:
    acks, least = config.acks, config.linger_ms + config.request_timeout_ms
    known = acks in (0, 1, -1, "0", "1", "-1", "all") and not isinstance(acks, bool)
    yield not known, f'acks={acks!r} is unknown: use 0, 1 or "all" (-1)'
    short = f"delivery_timeout_ms={config.delivery_timeout_ms:g} is below linger_ms + request_timeout_ms"
    yield config.delivery_timeout_ms < least, f"{short} = {least:g}: raise it, or lower request_timeout_ms"
    codec, level = config.compression_type, config.compression_level
    if level is not None and (codec, level) != ("gzip", -1):
        given = f"compression_level={level} means nothing to compression_type={codec!r}"
        yield codec not in LEVELS, f"{given}: leave it out, or use {', '.join(LEVELS)}"
        low, high = LEVELS[str(codec)]
        given = f"compression_type={codec!r}: compression_level={level} is out of range"
        yield not low <= level <= high, f"{given}: give a whole number from {low} to {high}"


def _against_idempotence(config: ProducerConfig) -> str:
    against = [] if config.required_acks == -1 else [f"acks={config.acks!r}"]
    return " and ".join(against if config.retries else [*against, "retries=0"])


def _idempotence(config: ProducerConfig) -> Rules:
    against, many = _against_idempotence(config), config.max_in_flight_requests_per_connection
    asked, name = config.enable_idempotence, config.transactional_id
    yield name == "", "transactional_id='' is empty: give a name, or None for no transactions"
    off = against or ("enable_idempotence=False" if asked is False else "")
    needs = "an idempotent producer; leave one of them out"
    yield bool(name and off), f"transactional_id={name!r} contradicts {off}: transactions need {needs}"
    needs = 'it needs acks="all" and retries'
    yield bool(asked and against), f"enable_idempotence=True contradicts {against}: {needs}"
    above = (
        f"max_in_flight_requests_per_connection={many} is above {MAX_IN_FLIGHT}, the most with idempotence"
    )
    # So Java since 4.0, also with acks=0.
    yield asked is not False and many > MAX_IN_FLIGHT, f"{above}: lower it, or set enable_idempotence=False"


def _security(config: ProducerConfig) -> Rules:
    given = [name for name in _SASL if getattr(config, name)]
    missing = [name for name in _SASL if name not in given]
    protocol = f"security_protocol={config.security_protocol!r}"
    if config.security_protocol.startswith("SASL"):
        yield bool(missing), f"{protocol} needs {' and '.join(missing)}, too"
        nul = "\0" in f"{config.sasl_plain_username}{config.sasl_plain_password}"
        yield nul, "sasl_plain_username and sasl_plain_password cannot hold the character NUL"
    else:
        login = f"{' and '.join(given)} without a login"
        yield bool(given), f"{login}: {protocol} has none; use SASL_SSL (or SASL_PLAINTEXT)"
    plain = config.ssl_cafile is not None and not config.security_protocol.endswith("SSL")
    yield plain, f"ssl_cafile without TLS: {protocol} is not encrypted; use SSL or SASL_SSL"


def idempotent(config: ProducerConfig) -> bool:
    """Return whether the producer is idempotent; warn if it is not, and nobody said so."""
    against = _against_idempotence(config)
    if config.enable_idempotence is None and against:
        risk = "records may be lost, stored twice or overtaken by later ones"
        _warn(
            f"idempotence is off because of {against}: {risk}. If it is meant, set enable_idempotence=False"
        )
    return config.enable_idempotence is not False and not against


def _warn(message: str) -> None:
    """Warn with the line that made the producer, not with one in here."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001 - warnings has skip_file_prefixes from 3.12
    while frame.f_back and frame.f_globals["__name__"].startswith("kafkalab.producer"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
