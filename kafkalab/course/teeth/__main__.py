"""`python -m kafkalab.course.teeth`: run mutants against the chapters that teach what they break.

Exit code 1: a mutant survived, or a chapter fails without any. One cluster serves all; a chapter heals it
when it starts. A mutant is run with the cells that its killer needs, and with the whole chapter if they let
it live. The control runs the same cells, and each chapter as a whole, with the producer as it is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from kafkalab.course import chapters, normalise, workcopy
from kafkalab.course.clusters import shared
from kafkalab.course.teeth import kernel, patch, slices
from kafkalab.course.teeth.kernel import Outcome
from kafkalab.course.teeth.patch import Mutant


class Chapter:
    """A chapter's code cells, and how they are run under a mutant."""

    def __init__(self, number: str) -> None:
        self.number = number
        path = workcopy.source() / chapters.find(number).notebook
        self._folder = path.parent
        self._cells = normalise.code_cells(normalise.strip(normalise.read(path)))

    def run(self, mutant: Mutant | None, killer: str | None = None) -> Outcome:
        """Run all cells, or those that `killer` needs."""
        cells, judged = self._cells, True
        if killer is not None:
            judged = killer.startswith("exercise ")
            sources = [cell.source for cell in self._cells]
            wanted = [] if judged else slices.cells_for(sources, killer)
            cells = [self._cells[at] for at in wanted]
        return kernel.run(cells, self._folder, self.number, mutant, judged=judged)

    def bite(self, mutant: Mutant) -> Outcome:
        """Return what became of `mutant`."""
        found = self.run(mutant, mutant.killer)
        if found.killer:
            return found
        whole = self.run(mutant)
        return dataclasses.replace(whole, seconds=found.seconds + whole.seconds)


def chosen(number: str | None, only: Sequence[str], *, one_per_part: bool) -> list[Mutant]:
    """Return the mutants to run; typer.BadParameter if there are none, or a name is of none."""
    every = patch.table()
    if unknown := set(only) - {name for each in every for name in (each.key, each.name)}:
        raise typer.BadParameter(f"No mutant is called {', '.join(sorted(unknown))}. See --list.")
    found = [each for each in every if not only or {each.key, each.name} & set(only)]
    found = [each for each in found if number in (None, each.chapter)]
    if one_per_part:
        found = list({(each.chapter, each.part): each for each in reversed(found)}.values())[::-1]
    if not found:
        known = ", ".join(sorted({each.chapter for each in every}))
        raise typer.BadParameter(f"None is there; chapters with mutants: {known}. See --list.")
    return found


def main(
    chapter: Annotated[str | None, typer.Option(help="Only this chapter's.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this mutant (name, or chapter/name).")] = None,
    one_per_part: Annotated[bool, typer.Option(help="The first of each taught part.")] = False,
    control: Annotated[bool, typer.Option(help="Run everything unbroken, too.")] = True,
    list_only: Annotated[bool, typer.Option("--list", help="Run nothing; list the mutants.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the outcomes to a file.")] = None,
) -> None:
    """Break the producer in many ways; every chapter must notice what concerns it."""
    console = Console()
    number = chapters.find(chapter).number if chapter else None
    mutants = chosen(number, only or (), one_per_part=one_per_part)
    if list_only:
        console.print(shown(mutants, {}))
        return
    with shared():
        outcomes = {each.key: report(console, each) for each in mutants}
        broken = controls(console, mutants, outcomes) if control else []
    console.print(shown(mutants, outcomes))
    if json_file:
        json_file.write_text(json.dumps([row(each, outcomes[each.key]) for each in mutants], indent=1))
    survivors = [each for each in mutants if outcomes[each.key].killer is None]
    console.print(f"{len(mutants)} mutants, {len(survivors)} survived, {len(broken)} controls failed")
    if survivors or broken:
        raise typer.Exit(1)


def report(console: Console, mutant: Mutant) -> Outcome:
    """Run one mutant and say how it ended."""
    with console.status(f"{mutant.key}: {mutant.fault}"):
        found = Chapter(mutant.chapter).bite(mutant)
    elsewhere = "" if found.killer == mutant.killer else f" [yellow](the table says {mutant.killer})[/]"
    verdict = f"killed by {found.killer}{elsewhere}" if found.killer else f"[red]SURVIVED[/] {found.trouble}"
    console.print(f"{mutant.key}: {verdict}, {found.seconds:.0f} s", highlight=False)
    return found


def controls(console: Console, mutants: Sequence[Mutant], outcomes: dict[str, Outcome]) -> list[str]:
    """Run unbroken what was run broken; return what fails all the same."""
    slices_run = {(each.chapter, each.killer) for each in mutants if outcomes[each.key].killer == each.killer}
    runs = [*sorted(slices_run), *((number, None) for number in sorted({each.chapter for each in mutants}))]
    broken = []
    for number, killer in runs:
        name = f"control {number}, {killer or 'the whole chapter'}"
        with console.status(name):
            found = Chapter(number).run(None, killer)
        wrong = found.killer or found.trouble
        console.print(f"{name}: {f'[red]fails[/] {wrong}' if wrong else 'holds'}, {found.seconds:.0f} s")
        broken += [name] if wrong else []
    return broken


def row(mutant: Mutant, found: Outcome) -> dict[str, Any]:
    """Return a mutant and its outcome as JSON data."""
    told = {name: getattr(mutant, name) for name in ("chapter", "part", "name", "fault")}
    return {**told, "killer": found.killer, "trouble": found.trouble, "seconds": round(found.seconds, 1)}


def shown(mutants: Sequence[Mutant], outcomes: dict[str, Outcome]) -> Table:
    """Return the table of mutants and killers."""
    table = Table("Chapter", "Part", "Mutant", "What is broken", "Killed by")
    for each in mutants:
        found = outcomes.get(each.key)
        killer = each.killer if found is None else found.killer or f"[red]SURVIVED[/] {found.trouble}"
        table.add_row(each.chapter, each.part, each.name, each.fault, killer)
    return table


if __name__ == "__main__":
    typer.run(main)
