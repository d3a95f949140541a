"""A learner's own answers: kept when their check passes, so that a later chapter can use them.

    answers.keep(progress, chapter, name, answer)     # why it could not be kept, or None
    answers.load(progress, chapter, name)             # Kept(answer, trouble)

An answer is a class typed into a notebook cell. What is kept is the text that makes it again: the class, the
functions and classes of the same notebook that it uses, imports, and names that stand for plain values. It
lies as a Python file in `answers/`, beside the progress file, to be read and run like any other.

Rules
- Only an answer that can be made again from its file is kept; a later one that cannot leaves the file alone.
- A file that is replaced lives on as `..._before.py`. The course's own solutions are never kept as answers.
- With KAFKALAB_PROGRESS=off nothing is kept, as nobody is there.

Leaves out: classes made inside functions, and objects that need arguments to be made.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib.util
import inspect
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from kafkalab.course import cells
from kafkalab.course.progress import Progress, replace_text

ANSWER = "ANSWER"


class NotKeptError(Exception):
    """An answer cannot be made again from a text; the message says why, and what to do."""


class Kept(NamedTuple):
    """A learner's answer from its file: the object, or None with what is wrong with the file, if anything."""

    answer: Any
    trouble: str = ""


def path_of(progress: Progress, chapter: str, name: str) -> Path | None:
    """Return the file of an exercise's answer; None when nothing is kept."""
    return progress.path and progress.path.parent / "answers" / f"ch{chapter}_{name}.py"


def keep(progress: Progress, chapter: str, name: str, answer: Any) -> str | None:
    """Keep an answer that has passed its check; return why it could not be kept, if so."""
    path = path_of(progress, chapter, name)
    kind = answer if isinstance(answer, type) else type(answer)
    if path is None or kind.__module__.split(".")[0] == "kafkalab":
        return None
    head = f"# Your answer to the exercise {name!r} of chapter {chapter}, kept when its check passed.\n\n"
    try:
        text = head + source_of(kind)
        _try_out(text)
        _write(path, text)
    except NotKeptError as error:
        return str(error)
    except OSError as error:
        return f"{path} cannot be written: {error}"
    return None


def load(progress: Progress, chapter: str, name: str) -> Kept:
    """Return the answer that is kept; Kept(None) if there is none yet."""
    path = path_of(progress, chapter, name)
    if path is None or not path.is_file():
        return Kept(None)
    try:
        return Kept(getattr(_module(path), ANSWER)())
    except Exception as error:  # noqa: BLE001 - whatever is in the learner's file
        return Kept(None, f"{path} cannot be used ({type(error).__name__}: {error}). Pass its check again.")


def _module(path: Path) -> ModuleType:
    # A real module, so that its source can be shown.
    spec = importlib.util.spec_from_file_location(f"kafkalab_answer_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    linecache.checkcache(str(path))
    spec.loader.exec_module(module)
    return module


def _write(path: Path, text: str) -> None:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        replace_text(path.with_name(f"{path.stem}_before.py"), path.read_text(encoding="utf-8"))
    replace_text(path, text)


# --- the text that makes an answer again ----------------------------------------------------------


def source_of(kind: type) -> str:
    """Return a text that defines ANSWER as this class; raises NotKeptError."""
    parts: dict[str, str] = {}
    _collect(kind, kind.__name__, vars(sys.modules.get(kind.__module__, builtins)), parts)
    imports = sorted(text for text in parts.values() if text.startswith(("import ", "from ")))
    others = [text for text in parts.values() if text not in imports]
    body = "\n\n\n".join([*(["\n".join(imports)] if imports else []), *others])
    return f"from __future__ import annotations\n\n{body}\n\n\n{ANSWER} = {kind.__name__}\n"


def _collect(value: Any, name: str, world: dict[str, Any], parts: dict[str, str]) -> None:
    """Put the text of `value` into `parts`, behind all that it needs."""
    if name in parts:
        return
    parts[name] = ""  # so that a function may call itself
    text = _definition(value, name, world)
    for other in sorted(cells.needs(text).uses - {name}):
        if other in world:
            _collect(world[other], other, world, parts)
        elif not hasattr(builtins, other):
            raise NotKeptError(f"{name} uses {other!r}, which is not defined in the notebook.")
    del parts[name]
    parts[name] = text


def _definition(value: Any, name: str, world: dict[str, Any]) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" + _as(value.__name__, name)
    home = getattr(value, "__module__", None)
    if isinstance(home, str) and home != world.get("__name__"):
        real = getattr(value, "__qualname__", None) or getattr(value, "_name", None) or name
        if getattr(sys.modules.get(home), str(real), None) is value:
            return f"from {home} import {real}" + _as(str(real), name)
    elif inspect.isclass(value) or inspect.isfunction(value):
        return _typed(value)
    with contextlib.suppress(ValueError, SyntaxError):
        if ast.literal_eval(repr(value)) == value:
            return f"{name} = {value!r}"
    raise NotKeptError(
        f"It uses {name!r}, a {type(value).__name__} made elsewhere in the notebook. "
        "Let the class import or make what it needs."
    )


def _as(real: str, name: str) -> str:
    return "" if real == name else f" as {name}"


def _typed(value: Any) -> str:
    """Return the text of a class or function as it was typed into its cell or file."""
    code = _code_of(value)
    lines = linecache.getlines(code.co_filename) if code is not None else []
    if lines:
        wanted = value.__name__
        for node in reversed(ast.parse("".join(lines)).body):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == wanted:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                return "".join(lines[first - 1 : node.end_lineno]).rstrip()
    raise NotKeptError(
        f"The text of {value.__qualname__} cannot be found: write it as a class of its own in a cell."
    )


def _code_of(value: Any) -> Any:
    if inspect.isfunction(value):
        return value.__code__
    functions = [each for each in vars(value).values() if inspect.isfunction(each)]
    return functions[0].__code__ if functions else None


def _try_out(text: str) -> None:
    space: dict[str, Any] = {"__name__": "kafkalab_answer"}
    try:
        exec(compile(text, "<kept answer>", "exec"), space)  # noqa: S102 - the learner's own code, just run
        space[ANSWER]()
    except Exception as error:
        raise NotKeptError(
            f"It cannot be made again from its text ({type(error).__name__}: {error}). "
            "Write a class that needs no arguments."
        ) from error
