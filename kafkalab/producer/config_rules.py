"""The rules that settings obey, each alone and all together (Java: `ProducerConfig.postProcessParsedConfig`).

A rule looks at the whole configuration and raises ConfigError: what is wrong, what is allowed, what
to change.

Rules: idempotence is on unless acks or retries rule it out; asking for both is an error; passwords
appear in no message.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafkalab.producer.errors import ConfigError

if TYPE_CHECKING:
    from kafkalab.producer.config import ProducerConfig

LEVELS = {"gzip": (1, 9), "lz4": (1, 17), "zstd": (-131072, 22)}
"""Lowest and highest compression_level by compression_type (KIP-390); gzip knows -1, its default, too."""
MAX_IN_FLIGHT = 5
"""A broker remembers this many batches per producer and partition, and so recognises what comes again."""


def check(config: ProducerConfig) -> dict[str, Any]:
    """Raise ConfigError if the settings are wrong; return those that the check has settled."""
    settled = {
        "compression_type": "none" if config.compression_type is None else config.compression_type,
        "security_protocol": str(config.security_protocol).upper(),
    }
    for each in dataclasses.fields(config):
        value = settled.get(each.name, getattr(config, each.name))
        _check_alone(each, value)
    _check_acks(config)
    _check_steps(config)
    _check_delivery_timeout(config)
    _check_level(settled["compression_type"], config.compression_level)
    _check_security(config, settled["security_protocol"])
    return {**settled, "enable_idempotence": _idempotence(config)}


# --- each alone -----------------------------------------------------------------------------------


def _check_alone(each: dataclasses.Field[Any], value: Any) -> None:
    """Check one setting by its declared type, range and choices."""
    if "range" in each.metadata:
        check_range(each.name, value, *each.metadata["range"], whole=each.type == "int")
    elif value is None and "None" in str(each.type):
        return
    elif "choices" in each.metadata and value not in each.metadata["choices"]:
        allowed = ", ".join(repr(choice) for choice in each.metadata["choices"])
        raise ConfigError(f"{each.name}={value!r} is unknown: use one of {allowed}")
    elif str(each.type).startswith("bool") and not isinstance(value, bool):
        raise ConfigError(f"{each.name}={value!r} is a {type(value).__name__}: give True or False")
    elif each.type in {"str", "str | None"} and not isinstance(value, str):
        shown = repr(value) if each.repr else "that"
        raise ConfigError(f"{each.name}: {shown} is a {type(value).__name__}: give a str")


def check_range(name: str, value: Any, low: float, high: float, *, whole: bool) -> None:
    """Raise ConfigError unless `value` is a number, `whole` or not, from `low` to `high`."""
    kind = "a whole number" if whole else "a number"
    if not isinstance(value, int if whole else (int, float)) or isinstance(value, bool):
        raise ConfigError(f"{name}={value!r} is a {type(value).__name__}: give {kind} from {low} to {high}")
    if not low <= value <= high:
        raise ConfigError(f"{name}={value!r} is out of range: give {kind} from {low} to {high}")


def _check_acks(config: ProducerConfig) -> None:
    if config.acks not in (0, 1, -1, "0", "1", "-1", "all") or isinstance(config.acks, bool):
        raise ConfigError(f'acks={config.acks!r} is unknown: use 0, 1 or "all" (-1)')


def _check_steps(config: ProducerConfig) -> None:
    """Check the objects that do a step of send()."""
    for name in ("key_serializer", "value_serializer"):
        if not callable(getattr(config, name)):
            raise ConfigError(
                f"{name}={getattr(config, name)!r} is not callable: give a function (topic, data) -> bytes"
            )
    if not isinstance(config.interceptors, Sequence):
        raise ConfigError(f"interceptors={config.interceptors!r} is no list: give [MyInterceptor(), ...]")
    if config.partitioner is not None and not callable(getattr(config.partitioner, "partition", None)):
        raise ConfigError(
            f"partitioner={config.partitioner!r} has no partition() method: give an object with "
            "partition(topic, key, value, partitions) -> int"
        )


# --- together -------------------------------------------------------------------------------------


def _check_delivery_timeout(config: ProducerConfig) -> None:
    least = config.linger_ms + config.request_timeout_ms
    if config.delivery_timeout_ms < least:
        raise ConfigError(
            f"delivery_timeout_ms={config.delivery_timeout_ms:g} is below linger_ms + request_timeout_ms = "
            f"{least:g}: raise it, or lower request_timeout_ms"
        )


def _check_level(codec: str, level: int | None) -> None:
    if level is None or (codec, level) == ("gzip", -1):
        return
    if codec not in LEVELS:
        raise ConfigError(
            f"compression_level={level!r} means nothing to compression_type={codec!r}: "
            f"leave it out, or use {', '.join(LEVELS)}"
        )
    check_range(f"compression_type={codec!r}: compression_level", level, *LEVELS[codec], whole=True)


def _idempotence(config: ProducerConfig) -> bool:
    """Return whether the producer is idempotent; an error if that is asked for and cannot be."""
    acks_all = config.required_acks == -1
    against = ([] if acks_all else [f"acks={config.acks!r}"]) + ([] if config.retries else ["retries=0"])
    many = config.max_in_flight_requests_per_connection
    asked = config.enable_idempotence
    if config.transactional_id is not None:
        _check_transactional(config.transactional_id, asked, against)
    if asked and against:
        raise ConfigError(
            f'enable_idempotence=True contradicts {" and ".join(against)}: it needs acks="all" and retries'
        )
    if asked is not False and many > MAX_IN_FLIGHT:  # so Java since 4.0, also with acks=0
        raise ConfigError(
            f"max_in_flight_requests_per_connection={many} is above {MAX_IN_FLIGHT}, the most that an "
            "idempotent producer may have: lower it, or set enable_idempotence=False"
        )
    if asked is None and against:
        _warn(
            f"idempotence is off because of {' and '.join(against)}: records may be lost, stored twice or "
            "overtaken by later ones. Leave that setting out to be safe, or say enable_idempotence=False "
            "if it is meant"
        )
    return asked is not False and not against


def _check_transactional(transactional_id: str, asked: bool | None, against: list[str]) -> None:
    if not transactional_id:
        raise ConfigError("transactional_id='' is empty: give a name, or None for no transactions")
    against = against + (["enable_idempotence=False"] if asked is False else [])
    if against:
        raise ConfigError(
            f"transactional_id={transactional_id!r} contradicts {' and '.join(against)}: transactions need "
            "an idempotent producer; leave that out, or leave out transactional_id"
        )


def _warn(message: str) -> None:
    """Warn with the line that made the producer, not with one in here."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001 - warnings has skip_file_prefixes from 3.12
    while frame.f_back and frame.f_globals["__name__"].startswith("kafkalab.producer"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)


# --- security -------------------------------------------------------------------------------------

_SASL = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


def _check_security(config: ProducerConfig, protocol: str) -> None:
    given = [name for name in _SASL if getattr(config, name)]
    if protocol.startswith("SASL"):
        missing = [name for name in _SASL if name not in given]
        if missing:
            raise ConfigError(f"security_protocol={protocol!r} needs {' and '.join(missing)}, too")
        if "\0" in f"{config.sasl_plain_username}{config.sasl_plain_password}":
            raise ConfigError("sasl_plain_username and sasl_plain_password cannot hold the character NUL")
    elif given:
        raise ConfigError(
            f"{' and '.join(given)} without a login: security_protocol={protocol!r} has none; "
            "use SASL_SSL (or SASL_PLAINTEXT)"
        )
    if config.ssl_cafile is not None:
        _check_cafile(config.ssl_cafile, protocol)


def _check_cafile(cafile: Any, protocol: str) -> None:
    if not protocol.endswith("SSL"):
        raise ConfigError(
            f"ssl_cafile without TLS: security_protocol={protocol!r} is not encrypted; use SSL or SASL_SSL"
        )
    if not isinstance(cafile, (str, PathLike)) or not Path(cafile).is_file():
        raise ConfigError(f"ssl_cafile={cafile!r} is no file: give the path of a PEM file")
