"""Producers of five makes behind one face: ours, kafka-python's, librdkafka's, aiokafka's, Kafka's own."""

import difflib
import importlib

from kafkalab.faults.clients.base import Client, Factory, Settings
from kafkalab.faults.sending import Ticket

__all__ = ["NAMES", "Client", "Factory", "Settings", "Ticket", "factory", "open"]

_HOMES = {
    "kafkalab": ("ours", "Ours"),
    "kafka-python": ("kafka_python", "KafkaPython"),
    "confluent": ("confluent", "Confluent"),
    "aiokafka": ("aio", "Aio"),
    "java": ("java", "Java"),
}
NAMES = tuple(_HOMES)


def factory(name: str) -> Factory:
    """Return what makes clients of this name; each make is imported when it is wanted.

    Raises ValueError for an unknown name, ImportError where the library is not installed.
    """
    if name not in _HOMES:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no client {name!r}: known are {', '.join(NAMES)}{hint}")
    module, kind = _HOMES[name]
    made: Factory = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    return made


def open(name: str, bootstrap_servers: str, settings: Settings | None = None) -> Client:  # noqa: A001
    """Start a client; a context manager that closes it. `settings` as in Settings()."""
    return factory(name)(bootstrap_servers, settings or Settings())
