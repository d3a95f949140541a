"""The cells that a claim needs: those that make what its cell uses, and what those need.

By names, without running anything. For each name that a cell takes from others: the last cell before it
that assigns the name, and those between the two that do something to it (`producer.flush()`). Experiments
that kill, freeze or heal brokers come all or none.

What it cannot see (a record sent by another cell, say) shows in the control: the same cells must run through,
and the claim must hold, with the producer as it is.
"""

from __future__ import annotations

import ast
import functools
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kafkalab.course import claims

_LAB = "lab"
_FAULTS = "lab.cluster, changed"
_CHANGES = {"kill", "restart", "pause", "resume", "heal"}


@dataclass(frozen=True)
class Needs:
    """What a cell takes from earlier ones, what it gives to later ones, and what it changes."""

    uses: frozenset[str]
    defines: frozenset[str]
    touches: frozenset[str]


def cells_for(sources: Sequence[str], claim_id: str) -> list[int]:
    """Return the positions of the cells to run for a claim, its own as the last; LookupError without one."""
    homes = [at for at, source in enumerate(sources) if claim_id in claims.executed_in(source)]
    if not homes:
        raise LookupError(f"No cell executes claim {claim_id!r}.")
    every = [needs(source) for source in sources]
    wanted, open_ends = set(homes[:1]), [(homes[0], name) for name in every[homes[0]].uses]
    while open_ends:
        before, name = open_ends.pop()
        for at in _makers(every, before, name):
            if at not in wanted:
                wanted.add(at)
                open_ends += [(at, each) for each in every[at].uses]
                open_ends += [(homes[0], _FAULTS)] if _FAULTS in every[at].touches else []
    return sorted(wanted)


def _makers(every: Sequence[Needs], before: int, name: str) -> Iterator[int]:
    for at in range(before - 1, -1, -1):
        if name in every[at].touches:
            yield at
        if name in every[at].defines:
            yield at
            return


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
    if _FAULTS in touches:
        touches |= uses - {_LAB}
    return Needs(frozenset(uses), frozenset(defines), frozenset(touches))


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that the statement reads and those that it assigns, of those that cells share."""
    asked = {("observe", "uses"), ("predict", "defines")}
    told = {way: set(_predictions(statement, verb)) for verb, way in asked}
    top = symtable.symtable(ast.unparse(statement), "cell", "exec")
    own = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    read = {each.get_name() for each in top.get_symbols() if each.is_referenced()} | set(_globals(top))
    read |= {name for each in ast.walk(statement) for name in _added_to(each)}
    return read | told["uses"], own | told["defines"]


def _added_to(node: ast.AST) -> list[str]:
    # `a += 1` reads `a`, too, which symtable does not say.
    return _path(node.target)[:1] if isinstance(node, ast.AugAssign) else []


def _globals(scope: symtable.SymbolTable) -> Iterator[str]:
    for child in scope.get_children():
        yield from (each.get_name() for each in child.get_symbols() if each.is_global())
        yield from _globals(child)


def _predictions(statement: ast.stmt, verb: str) -> Iterator[str]:
    for call in _calls(statement):
        path = _path(call.func)
        if path == [_LAB, verb] and call.args and isinstance(call.args[0], ast.Constant):
            yield f"prediction {call.args[0].value!r}"


def _touched(statement: ast.stmt) -> Iterator[str]:
    """Yield the names whose objects the statement may change: `name.verb(...)`, `name.x = `, `name[x] = `."""
    for call in _calls(statement):
        root, *rest = _path(call.func) or [""]
        if root == _LAB and rest[-1:] and rest[-1] in _CHANGES:
            yield _FAULTS
        elif root and rest and root != _LAB:
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
