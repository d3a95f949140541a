"""Claims: beliefs about the producer that a chapter puts to the test on a real cluster.

`claims.toml` holds each one (id, section of the outline, belief, what is so, verdict, chapter, subject).
A chapter executes a claim with `lab.claim(id, holds, evidence=...)`: `holds` is what the cluster did,
compared with what the verdict says. Statically, every claim whose chapter's notebook exists is executed by
exactly one cell of that notebook (`problems`, run by the hygiene check).
"""

from __future__ import annotations

import ast
import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from kafkalab.course.cards import Shown, card, pairs
from kafkalab.course.cells import method_calls

VERDICTS = {
    "true": "true",
    "false": "false",
    "outdated": "outdated: it was so once",
    "incomplete": "incomplete: true, but not the whole truth",
    "depends": "it depends",
}
SUBJECTS = ("broker", "client")


@dataclass(frozen=True)
class Claim:
    """One row of claims.toml; `subject` says whose behaviour it is about, the broker's or the client's."""

    id: str
    section: str
    belief: str
    fact: str
    verdict: str
    chapter: str
    subject: str

    def __post_init__(self) -> None:
        _one_of(self.id, "verdict", self.verdict, tuple(VERDICTS))
        _one_of(self.id, "subject", self.subject, SUBJECTS)


def _one_of(claim: str, field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"Claim {claim!r}: {field} is {value!r}, expected one of {', '.join(allowed)}.")


@functools.cache
def load() -> Mapping[str, Claim]:
    """Return the claims by id, in the file's order."""
    text = resources.files("kafkalab.course").joinpath("claims.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> dict[str, Claim]:
    """Return the claims of a claims.toml; ValueError for an unknown verdict or subject."""
    rows = tomllib.loads(text)
    return {name: Claim(id=name, **fields) for name, fields in rows.items()}


def find(claim_id: str, claims: Mapping[str, Claim] | None = None) -> Claim:
    """Return the claim; LookupError naming the nearest id if there is none."""
    known = load() if claims is None else claims
    if claim_id in known:
        return known[claim_id]
    near = difflib.get_close_matches(claim_id, known, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise LookupError(f"There is no claim {claim_id!r} in claims.toml.{hint}")


def execute(claim: Claim, holds: object, evidence: str) -> Shown:
    """Return the card of a claim that was shown to be as its verdict says; AssertionError if it was not."""
    if not holds:
        raise AssertionError(
            f"Claim {claim.id} (verdict: {claim.verdict}) did not hold here.\n"
            f"  belief:   {claim.belief}\n  expected: {claim.fact}\n"
            f"  evidence: {evidence or '(none given)'}\n"
            "Run the chapter's cells in order from its first; if it still fails, please report it."
        )
    rows = {"Common belief": claim.belief, "What happened": evidence, "So": claim.fact}
    verdict = VERDICTS[claim.verdict]
    lines = [
        f"Claim {claim.section}: {verdict}",
        *(f"  {name}: {value}" for name, value in rows.items() if value),
    ]
    rows = {name: value for name, value in rows.items() if value}
    kind = "claim" if claim.verdict == "true" else "correction"
    return card(kind, f"Claim ({claim.section}): {verdict}", pairs(rows), text="\n".join(lines))


def of_chapter(number: str) -> list[Claim]:
    """Return the claims that this chapter puts to the test."""
    return [claim for claim in load().values() if claim.chapter == number]


def executed_in(source: str) -> list[str]:
    """Return the ids that a cell's `source` executes; an id that is not a literal counts as "?"."""
    return [_literal(call) for call in method_calls(source, "claim")]


def _literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "?"


def problems(cells: Mapping[str, list[str]], claims: Mapping[str, Claim] | None = None) -> list[str]:
    """Check sources of code cells by chapter number: each claim of those chapters executed exactly once."""
    known = load() if claims is None else claims
    runs = [
        (name, chapter)
        for chapter, sources in cells.items()
        for text in sources
        for name in executed_in(text)
    ]
    found = [
        f"chapter {chapter}: claim {name!r} is not in claims.toml (ids are literals)"
        for name, chapter in runs
        if name not in known
    ]
    for claim in known.values():
        if claim.chapter in cells:
            found += _count(claim, [chapter for name, chapter in runs if name == claim.id])
    return found


def _count(claim: Claim, chapters: list[str]) -> list[str]:
    if chapters == [claim.chapter]:
        return []
    where = f"executed in chapter {', '.join(chapters)}" if chapters else "executed nowhere"
    return [f"claim {claim.id}: {where}, expected exactly one cell of chapter {claim.chapter}"]
