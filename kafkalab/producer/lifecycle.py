"""What becomes of a producer that nobody closes: forgotten, left behind by a fork, or by the end of Python.

Rules: a producer that is collected, or alive when Python ends, warns with the number of records that have
no outcome yet; after a collection the I/O thread still delivers them. In a forked child a producer is of
no use, because its thread and its connections stay with the parent: each verb says so, and the child's end
does not warn of records that the parent delivers.

Leaves out: closing, which is `Producer.close`.
"""

from __future__ import annotations

import os
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from kafkalab.producer.errors import ProducerForkedError

if TYPE_CHECKING:
    from kafkalab.producer.producer import Producer
    from kafkalab.producer.sender import Sender

_alive: weakref.WeakKeyDictionary[Producer, Any] = weakref.WeakKeyDictionary()


def watch(producer: Producer) -> None:
    """Look after a new producer until it is closed."""
    _alive[producer] = weakref.finalize(producer, _forgotten, producer.sender, producer.config.client_id)


def _forgotten(sender: Sender, client_id: str) -> None:
    """Learn that a producer was collected, or that Python ends.

    A collection begins wherever memory is asked for, on the I/O thread under its lock, too: take none here.
    """
    unsent = sender.unsettled()
    sender.close()
    if unsent:
        left = f"producer {client_id!r} was never closed: {unsent} records have no outcome yet"
        warnings.warn(f"{left}; call close(), or use it in `with`", RuntimeWarning, stacklevel=2)


def _forked() -> None:
    why = "the process was forked after this producer was made: make one in the child"
    for producer, end in list(_alive.items()):
        end.detach()  # it would ask for locks, which threads that exist no more may hold
        producer.disown(ProducerForkedError(why))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
