"""Which back end: what the learner asked for, or the best that this machine can do, and why.

Rules: "auto" takes containers when an engine answers and the image can be had quickly, else embedded.
Every choice comes with its reason. "external" is chosen by KAFKALAB_BOOTSTRAP and has no module of its kind,
because it runs no nodes.
"""

import importlib
import os
from typing import NamedTuple, cast

from kafkalab.cluster.backend import BackendModule
from kafkalab.cluster.errors import BackendChoiceError

BACKEND_VARIABLE = "KAFKALAB_BACKEND"
BOOTSTRAP_VARIABLE = "KAFKALAB_BOOTSTRAP"
RUN_HERE = ("containers", "embedded")
ALLOWED = ("auto", *RUN_HERE, "external")


class Choice(NamedTuple):
    """A back end's name and the reason, in words for the learner."""

    name: str
    reason: str
    or_else: str | None = None
    """Taken instead when the image turns out not to be had after all."""


def module(name: str) -> BackendModule:
    """Return the module of a back end that runs nodes; imported by need, because containers load slowly."""
    return cast("BackendModule", importlib.import_module(f"kafkalab.cluster.{name}"))


def choose(asked: str | None = None) -> Choice:
    """Choose by argument, else by KAFKALAB_BACKEND, else "auto".

    Raises BackendChoiceError when the name is unknown or its back end cannot be used here.
    """
    source = "backend" if asked else BACKEND_VARIABLE
    name = asked or os.environ.get(BACKEND_VARIABLE) or "auto"
    if name not in ALLOWED:
        raise BackendChoiceError(
            f"{source}={name!r} is no back end. Allowed are {', '.join(ALLOWED)}; leave it out for auto."
        )
    if name == "auto":
        return _best()
    if name == "external":
        return _external(source)
    return _demanded(name, source)


def _best() -> Choice:
    if os.environ.get(BOOTSTRAP_VARIABLE):
        return Choice("external", f"{BOOTSTRAP_VARIABLE} names a cluster")
    reason = module("containers").unavailable()
    if reason is None:
        why = "a container engine answers and the image is there or can be pulled"
        return Choice("containers", why, or_else="embedded")
    return Choice("embedded", f"no containers: {reason}")


def _external(source: str) -> Choice:
    if not os.environ.get(BOOTSTRAP_VARIABLE):
        raise BackendChoiceError(f"{source}=external needs {BOOTSTRAP_VARIABLE}=host:port, which is not set.")
    return Choice("external", f"{source}=external")


def _demanded(name: str, source: str) -> Choice:
    reason = module(name).unavailable()
    if reason is not None:
        raise BackendChoiceError(
            f"{source}={name} cannot be used here: {reason} Set {source}=auto to choose."
        )
    return Choice(name, f"{source}={name}")
