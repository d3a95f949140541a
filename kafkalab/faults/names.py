"""Names of APIs and of protocol errors, and the number on the wire that each stands for.

Rules: a name that does not exist is an error that suggests the nearest ones. APIs are named as in Kafka's
message files ("Produce", "InitProducerId"), errors as in Kafka's `Errors` ("NOT_ENOUGH_REPLICAS").
"""

import difflib
import inspect
from typing import Any

import kafka.errors
from kafka.protocol.api_key import ApiKey

from kafkalab.faults.errors import RuleError

API_NAMES: dict[int, str] = {key.value: key.name for key in ApiKey}
API_KEYS = {name: key for key, name in API_NAMES.items()}
_KAFKA_PYTHONS: dict[int, str] = {
    code: error.message for code, error in kafka.errors.kafka_errors.items() if code is not None and code >= 0
}
ERROR_NAMES: dict[int, str] = {
    **_KAFKA_PYTHONS,
    # Where kafka-python says it otherwise than Kafka (tests/faults/test_names.py asks Kafka).
    0: "NONE",
    6: "NOT_LEADER_OR_FOLLOWER",
    10: "MESSAGE_TOO_LARGE",
    17: "INVALID_TOPIC_EXCEPTION",
    39: "INVALID_REPLICA_ASSIGNMENT",
    -1: "UNKNOWN_SERVER_ERROR",
}
ERROR_CODES = {name: code for names in (_KAFKA_PYTHONS, ERROR_NAMES) for code, name in names.items()}
"""Kafka's names, and kafka-python's."""


def api_key(api: str | int) -> int:
    """Return the key of an API given by name or key. Raises RuleError."""
    if isinstance(api, int):
        return api
    if api not in API_KEYS:
        raise RuleError(f"There is no API {api!r}{_nearest(api, API_KEYS)}.")
    return API_KEYS[api]


def api_name(key: int) -> str:
    """Return the API's name; "api 99" for one that is not known here."""
    return API_NAMES.get(key, f"api {key}")


def error_code(error: str | int | type[Any]) -> int:
    """Return the code of an error given by name, code or class of `kafka.errors`. Raises RuleError."""
    if inspect.isclass(error):
        error = getattr(error, "errno", repr(error))
    if isinstance(error, int):
        if error not in ERROR_NAMES:
            raise RuleError(f"There is no protocol error {error}; known are -1 to {max(ERROR_NAMES)}.")
        return error
    if error not in ERROR_CODES:
        raise RuleError(f"There is no protocol error {error!r}{_nearest(str(error), ERROR_CODES)}.")
    return ERROR_CODES[error]


def error_name(code: int) -> str:
    """Return the error's name; "error 999" for one that is not known here, "" for 0."""
    return ERROR_NAMES.get(code, f"error {code}") if code else ""


def _nearest(name: str, known: dict[str, int]) -> str:
    folded = {each.casefold().replace("_", ""): each for each in known}
    wanted = name.casefold().replace("_", "").removesuffix("error").removesuffix("exception")
    near = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(folded[each] for each in near)}?" if near else ""
