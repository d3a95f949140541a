"""Install every mutant, one on top of the other; print those that change nothing, or what chapters show.

A process of its own (see test_teeth.py): what is broken here stays broken.
"""

# ruff: noqa: T201 - it tells by printing

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import kafkalab.producer  # noqa: F401
from kafkalab.course.source import show_source
from kafkalab.course.teeth import patch


def parts() -> Iterator[tuple[str, Any]]:
    """Yield every function, class and attribute of a class of the producer's modules."""
    for name, module in sorted(sys.modules.items()):
        if not name.startswith("kafkalab.producer"):
            continue
        for attribute, value in list(vars(module).items()):
            yield f"{name}.{attribute}", value
            if inspect.isclass(value) and value.__module__ == name:
                for inner, each in list(vars(value).items()):
                    yield f"{name}.{attribute}.{inner}", each


def sources() -> dict[str, str]:
    """Return what chapters would show of each function; classes and modules are shown from their files."""
    shown = {}
    for name, value in parts():
        if inspect.isclass(value):
            continue
        try:
            shown[name] = show_source(getattr(value, "fget", value)).code
        except TypeError:
            continue
    return shown


before = sources()
for mutant in patch.table():
    ids = {name: id(value) for name, value in parts()}
    patch.install(mutant.key)
    if ids == {name: id(value) for name, value in parts()}:
        print(f"{mutant.key} changes nothing")
after = sources()
print(*(f"{name} is shown differently" for name in before if before[name] != after.get(name)), sep="\n")
print(len(before), "sources compared", file=sys.stderr)
