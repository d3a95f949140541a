"""`show_source(obj)`: the code that runs, as it stands in the package, never a copy of it.

Markdown with a fenced block, so JupyterLab and GitHub colour it; no line numbers or paths on disk, so it
changes only when the code does.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any

from kafkalab.course.markup import html, tag


class Source:
    """The source of an object; `code` is the text."""

    def __init__(self, title: str, code: str) -> None:
        self.title = title
        self.code = code

    def __repr__(self) -> str:
        return f"# {self.title}\n{self.code}"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        caption = html(tag("code", self.title))
        return {"text/plain": repr(self), "text/markdown": f"{caption}\n\n```python\n{self.code}\n```"}


def show_source(obj: Callable[..., Any] | type | ModuleType, *, docstring: bool = True) -> Source:
    """Return the source of a function, method, class or module; `docstring=False` leaves its docstring out.

    TypeError: the object has no Python source (an instance, a built-in).
    """
    try:
        code = textwrap.dedent(inspect.getsource(inspect.unwrap(obj) if callable(obj) else obj)).rstrip()
    except (TypeError, OSError):
        raise TypeError(
            f"{obj!r} has no Python source to show; pass a function, method, class or module of the package."
        ) from None
    return Source(_title(obj), code if docstring else _without_docstring(code))


def _title(obj: object) -> str:
    if isinstance(obj, ModuleType):
        return obj.__name__
    return f"{getattr(obj, '__module__', '')}.{getattr(obj, '__qualname__', '')}".strip(".")


def _without_docstring(code: str) -> str:
    body = ast.parse(code).body
    owner = body[0] if len(body) == 1 else None
    if not isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or len(owner.body) < 2:
        return code
    first = owner.body[0]
    if not (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return code
    lines = code.splitlines()
    kept = lines[: first.lineno - 1] + lines[first.end_lineno or first.lineno :]
    while kept[first.lineno - 1] == "":
        del kept[first.lineno - 1]
    return "\n".join(kept)
