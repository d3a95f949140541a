"""Mutants: what breaks, by whom it should be noticed, and how it gets into the imported producer.

    @mutant("accumulator", killer="4.3.3-linger")
    def nothing_lingers() -> None:
        around(RecordAccumulator, "_ready_at", lambda original, self, first: first.created)

The function's docstring says what is broken.

Rules: a patch is made before the first cell runs; `inspect.getsource` still finds the original, because a
replacement carries it in `__wrapped__`; names that other modules imported are replaced there, too.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from kafkalab.course.teeth import mutants

_marked: list[Mutant] = []


@dataclass(frozen=True)
class Mutant:
    """One broken producer: `killer` is the id of a claim, or `exercise NAME`, that must notice."""

    chapter: str
    part: str
    name: str
    fault: str
    killer: str
    install: Callable[[], None]

    @property
    def key(self) -> str:
        """What `--only` takes."""
        return f"{self.chapter}/{self.name}"


def mutant(part: str, *, killer: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter a function into the table: its module says which chapter, its docstring what it breaks."""

    def enter(install: Callable[[], None]) -> Callable[[], None]:
        chapter, name = install.__module__.rpartition(".ch")[2][:2], install.__name__.replace("_", "-")
        _marked.append(Mutant(chapter, part, name, inspect.getdoc(install) or "", killer, install))
        return install

    return enter


def table() -> list[Mutant]:
    """Return every mutant, by chapter, in the order of its module."""
    for module in sorted(each.name for each in pkgutil.iter_modules(mutants.__path__)):
        importlib.import_module(f"{mutants.__name__}.{module}")
    return sorted(_marked, key=lambda each: each.chapter)


def install(key: str) -> None:
    """Break the producer that this process has imported."""
    importlib.import_module("kafkalab.producer")
    (found,) = (each for each in table() if each.key == key)
    found.install()


def around(owner: type | ModuleType, name: str, replacement: Callable[..., Any]) -> None:
    """Let `owner.name(...)` be `replacement(original, ...)`; a property or class method stays one."""
    found: Any = inspect.getattr_static(owner, name)
    kind: Any = type(found) if isinstance(found, property | classmethod | staticmethod) else None
    original: Callable[..., Any] = _function(found)

    @functools.wraps(original)
    def changed(*args: Any, **options: Any) -> Any:
        return replacement(original, *args, **options)

    setattr(owner, name, kind(changed) if kind else changed)
    if isinstance(owner, ModuleType):
        _everywhere(found, changed)


def _function(found: Any) -> Callable[..., Any]:
    if isinstance(found, property):
        found = found.fget
    return getattr(found, "__func__", found)  # type: ignore[no-any-return]


def _everywhere(original: object, changed: object) -> None:
    for module in [each for name, each in sys.modules.items() if name.startswith("kafkalab.producer")]:
        for name, value in list(vars(module).items()):
            if value is original:
                setattr(module, name, changed)
