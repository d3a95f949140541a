"""What a code cell takes from earlier cells and gives to later ones: names, found without running it.

A cell changes an object if it calls a method of it or assigns to a part of it; verbs of `lab` change nothing,
except those that kill, freeze or heal brokers. Names of predictions count, too: `lab.observe("x")` needs the
cell with `lab.predict("x")`.
"""

from __future__ import annotations

import ast
import functools
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

LAB = "lab"
FAULTS = "lab.cluster, changed"
"""Stands for the state of the brokers."""
_CHANGES = {"kill", "restart", "pause", "resume", "heal"}


@dataclass(frozen=True)
class Needs:
    """What a cell takes from earlier ones, what it gives to later ones, and what it changes."""

    uses: frozenset[str]
    defines: frozenset[str]
    touches: frozenset[str]


@functools.cache
def needs(source: str) -> Needs:
    """Return what the cell `source` needs and gives; a cell that is not Python needs and gives nothing."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return Needs(frozenset(), frozenset(), frozenset())
    uses: set[str] = set()
    defines: set[str] = set()
    for statement in statements:
        loaded, stored = _names(statement)
        uses |= loaded - defines
        defines |= stored
    touches = {name for statement in statements for name in _touched(statement)}
    if FAULTS in touches:
        touches |= uses - {LAB}
    return Needs(frozenset(uses), frozenset(defines), frozenset(touches))


def method_calls(source: str, *methods: str) -> list[ast.Call]:
    """Return a cell's calls of methods of these names; none if it is not Python."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    calls = [call for statement in statements for call in _calls(statement)]
    return [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in methods]


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that the statement reads and those that it assigns, of those that cells share."""
    asked = {("observe", "uses"), ("predict", "defines")}
    told = {way: set(_predictions(statement, verb)) for verb, way in asked}
    top = symtable.symtable(ast.unparse(statement), "cell", "exec")
    own = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    read = {each.get_name() for each in top.get_symbols() if each.is_referenced()} | set(_globals(top))
    read |= {name for each in ast.walk(statement) for name in _added_to(each)}
    return read - _bound_by_loops(statement) | told["uses"], own | told["defines"]


def _added_to(node: ast.AST) -> list[str]:
    # `a += 1` reads `a`, too, which symtable does not say.
    return _path(node.target)[:1] if isinstance(node, ast.AugAssign) else []


def _bound_by_loops(statement: ast.stmt) -> set[str]:
    """Return what the statement's loops assign before anything in them reads it."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return set()  # its loops' names are its own
    loops = [node for node in ast.walk(statement) if isinstance(node, ast.For)]
    targets, sources = (
        {each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)}
        for parts in ([loop.target for loop in loops], [loop.iter for loop in loops])
    )
    return targets - sources


def _globals(scope: symtable.SymbolTable) -> Iterator[str]:
    for child in scope.get_children():
        yield from (each.get_name() for each in child.get_symbols() if each.is_global())
        yield from _globals(child)


def _predictions(statement: ast.stmt, verb: str) -> Iterator[str]:
    for call in _calls(statement):
        path = _path(call.func)
        if path == [LAB, verb] and call.args and isinstance(call.args[0], ast.Constant):
            yield f"prediction {call.args[0].value!r}"


def _touched(statement: ast.stmt) -> Iterator[str]:
    """Yield the names whose objects the statement may change: `name.verb(...)`, `name.x = `, `name[x] = `."""
    for call in _calls(statement):
        root, *rest = _path(call.func) or [""]
        if root == LAB and rest[-1:] and rest[-1] in _CHANGES:
            yield FAULTS
        elif root and rest and root != LAB:
            yield root
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from (_path(node) or [])[:1]


def _calls(statement: ast.stmt) -> list[ast.Call]:
    return [node for node in ast.walk(statement) if isinstance(node, ast.Call)]


def _path(node: ast.expr) -> list[str]:
    """Return `a.b.c` as ["a", "b", "c"]; subscripts are passed over; [] for anything else."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=value, attr=attr):
            return [*path, attr] if (path := _path(value)) else []
        case ast.Subscript(value=value):
            return _path(value)
    return []
