"""What becomes of a producer that nobody closes: forgotten, left behind by a fork, or by the end of Python.

Rules: a producer that is collected, or alive when Python ends, warns with the number of records that have
no outcome yet; after a collection the I/O thread still delivers them. In a forked child a producer is of
no use, because its thread and its connections stay with the parent: each verb says so.

Leaves out: closing, which is `Producer.close`.
"""

from __future__ import annotations

import os
import warnings
import weakref
from typing import TYPE_CHECKING

from kafkalab.producer.errors import ProducerForkedError

if TYPE_CHECKING:
    from kafkalab.producer.producer import Producer
    from kafkalab.producer.sender import Sender

_alive: weakref.WeakSet[Producer] = weakref.WeakSet()


def watch(producer: Producer) -> None:
    """Look after a new producer until it is closed."""
    _alive.add(producer)
    weakref.finalize(producer, _forgotten, producer.sender, producer.config.client_id)


def _forgotten(sender: Sender, client_id: str) -> None:
    """Learn that a producer was collected, or that Python ends."""
    unsent = sender.unsettled()
    sender.close()
    if unsent:
        left = f"producer {client_id!r} was never closed: {unsent} records have no outcome yet"
        warnings.warn(f"{left}; call close(), or use it in `with`", RuntimeWarning, stacklevel=2)


def _forked() -> None:
    why = "the process was forked after this producer was made: make one in the child"
    for producer in list(_alive):
        producer.disown(ProducerForkedError(why))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
