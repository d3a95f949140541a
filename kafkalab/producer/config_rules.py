"""The rules that settings obey, each alone and all together (Java: `ProducerConfig.postProcessParsedConfig`).

A rule is a pair: whether it is broken, and what to say then: what is wrong, what is allowed, what to
change. The first that is broken raises ConfigError; those behind it may rely on it.

Rules: idempotence is on unless acks or retries rule it out; asking for both is an error; passwords
appear in no message.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from kafkalab.producer.errors import ConfigError

if TYPE_CHECKING:
    from kafkalab.producer.config import ProducerConfig

Rules: TypeAlias = Iterator[tuple[bool, str]]

LEVELS = {"gzip": (1, 9), "lz4": (1, 17), "zstd": (-131072, 22)}
"""Lowest and highest compression_level by compression_type (KIP-390); gzip knows -1, its default, too."""
MAX_IN_FLIGHT = 5
"""A broker remembers this many batches per producer and partition, and so recognises what comes again."""

_TYPES: dict[str, Any] = {"str": str, "bool": bool, "int": int, "float": (int, float)}
_WANTED = {"str": "a str", "bool": "True or False", "int": "a whole number", "float": "a number"}
_SASL = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


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
