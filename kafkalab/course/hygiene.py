"""Rules every committed notebook keeps, checked without running it.

    python -m kafkalab.course.hygiene notebooks

Each rule is a function from a notebook (or from all of them) to a list of problems; the message names the
cell and the fix. What a cell may exceed is said by its tags ("long-cell").
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kafkalab.course import chapters, claims, normalise, settings_index
from kafkalab.course.cells import method_calls
from kafkalab.course.execute import notebooks_in
from kafkalab.course.normalise import code_cells

MAX_CODE_LINES = 9
MAX_PROSE_WORDS = 120
LONG_CELL = "long-cell"

_MAKERS = ("topic", "create_topic", "recreate_topic")
_LOCAL = {
    "an absolute path": re.compile(
        r"(?<![\w.:/])/(?:home|root|tmp|var|usr|opt|work|Users|private)/\w|\b[A-Z]:\\\w"
    ),
    "a network address": re.compile(r"\b127\.0\.0\.1\b|\blocalhost:\d|\b\d{1,3}(?:\.\d{1,3}){3}:\d+"),
    "a memory address": re.compile(r"\bat 0x[0-9a-fA-F]+"),
}
_DATA_URI = re.compile(r"data:[\w/+-]+;base64,[\w+/=]+")
_MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HTML_LINK = re.compile(r'href="([^"]+)"')
_NOT_PROSE = re.compile(r"```.*?```|<[^>]+>|\]\([^)]*\)", re.DOTALL)

Rule = Callable[[Any], Iterator[str]]


def executed_in_order(notebook: Any) -> Iterator[str]:
    """Check that every code cell was executed once, from the top (nbval silently skips the others)."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != number:
            count = cell.execution_count
            yield f"code cell {number} has execution count {count}, expected {number}: make notebooks"
        if not cell.source.strip():
            yield f"code cell {number} is empty: remove it"


def clean_outputs(notebook: Any) -> Iterator[str]:
    """Check for errors, stderr, names of this machine and widgets without a static form."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"code cell {number} shows an error ({output.ename}): catch it and print what matters"
            if output.get("name") == "stderr":
                yield f"code cell {number} writes to stderr: {output.text[:80]!r}"
            if normalise.WIDGET_VIEW in output.get("data", {}):
                yield f"code cell {number} shows a widget that has no static form (text/html)"
            for what, found in _names_of_this_machine(_text(output)):
                yield f"code cell {number} shows {what}: {found!r}"


def _names_of_this_machine(text: str) -> Iterator[tuple[str, str]]:
    for what, pattern in _LOCAL.items():
        if match := pattern.search(_DATA_URI.sub("", text)):
            yield what, text[max(0, match.start() - 20) : match.end() + 20]


def _text(output: Any) -> str:
    return str(output.get("text", "")) + "".join(str(value) for value in output.get("data", {}).values())


def short_cells(notebook: Any) -> Iterator[str]:
    """Check that a cell can be read at a glance."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        lines = [
            line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")
        ]
        if len(lines) > MAX_CODE_LINES and LONG_CELL not in cell.metadata.get("tags", ()):
            limit = f"at most {MAX_CODE_LINES} (or tag it {LONG_CELL!r})"
            yield f"code cell {number} has {len(lines)} code lines, {limit}"


def short_prose(notebook: Any) -> Iterator[str]:
    """Check that there is little to read between two code cells."""
    words, number = 0, 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words += len(_NOT_PROSE.sub(" ", cell.source).split())
            continue
        number += 1
        if number > 1 and words > MAX_PROSE_WORDS:
            yield f"{words} words before code cell {number}, at most {MAX_PROSE_WORDS}"
        words = 0


RULES: tuple[Rule, ...] = (executed_in_order, clean_outputs, short_cells, short_prose)


def links(notebook: Any) -> set[str]:
    """Return the relative targets that the notebook's prose and outputs link to, without anchors."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    found = [target for text in texts for target in _MARKDOWN_LINK.findall(text) + _HTML_LINK.findall(text)]
    for cell in code_cells(notebook):
        found += [target for output in cell.outputs for target in _HTML_LINK.findall(_text(output))]
    return {target.split("#")[0] for target in found if "://" not in target and target.split("#")[0]}


def links_resolve(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that relative links name files that exist."""
    for path, notebook in notebooks.items():
        for target in sorted(links(notebook)):
            if not (path.parent / target).exists():
                yield f"{path.name}: link to {target!r}, which does not exist"


def topics_unique(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that each topic is made by one cell of one chapter."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path, notebook in notebooks.items():
        for number, cell in enumerate(code_cells(notebook), start=1):
            for topic in topics_made(cell.source):
                homes[topic].append(f"{path.name} code cell {number}")
    for topic, places in homes.items():
        if len(places) > 1:
            yield f"topic {topic!r} is made in {' and '.join(places)}: give each its own name"


def topics_made(source: str) -> list[str]:
    """Return the literal topic names that a cell creates."""
    literals = [call.args[0] for call in method_calls(source, *_MAKERS) if call.args]
    return [node.value for node in literals if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def observations_shown(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that what a chapter says has happened comes from the experiment, not from the author."""
    for path, notebook in notebooks.items():
        for number, cell in enumerate(code_cells(notebook), start=1):
            for name in told_not_shown(cell.source) if path.name[:2].isdigit() else ():
                yield (
                    f"{path.name} code cell {number}: what happened to prediction {name!r} is told, not "
                    "shown: compute correct=, or add shown=, what the experiment has to say for it"
                )


def settings_linked(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that a chapter links each setting that its prose names to its documentation, once."""
    for path, notebook in notebooks.items():
        for name in settings_index.unlinked(notebook) if path.name[:2].isdigit() else ():
            yield f"{path.name}: `{name}` is nowhere linked to its documentation: link its first mention"


def told_not_shown(source: str) -> list[str]:
    """Return the predictions whose outcome a cell states as a literal without evidence."""
    return [
        ast.literal_eval(call.args[0])
        for call in method_calls(source, "observe")
        for given in [{each.arg: each.value for each in call.keywords}]
        if isinstance(given.get("correct"), ast.Constant) and "shown" not in given
    ]


def normalised(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that the file is, to the byte, as `make notebooks` writes it."""
    for path in notebooks:
        if normalise.dumps(normalise.normalise(normalise.read(path))) != path.read_text(encoding="utf-8"):
            yield f"{path.name} is not normalised: make notebooks"


def in_the_table(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that chapters' and appendices' files are named as the table of chapters says."""
    known = {entry.notebook for entry in (*chapters.CHAPTERS, *chapters.APPENDICES)}
    for path in notebooks:
        if path.name[1:2].isdigit() and path.name not in known:
            yield f"{path.name} is not in the table of chapters (chapters.py): {', '.join(sorted(known))}"


def claims_executed(notebooks: Mapping[Path, Any]) -> Iterator[str]:
    """Check that every claim of a chapter that exists is executed by exactly one cell."""
    numbered = {path.name[:2]: notebook for path, notebook in notebooks.items() if path.name[:2].isdigit()}
    sources = {
        number: [cell.source for cell in code_cells(notebook)] for number, notebook in numbered.items()
    }
    yield from claims.problems(sources)


TOGETHER = (
    normalised,
    links_resolve,
    topics_unique,
    in_the_table,
    observations_shown,
    settings_linked,
    claims_executed,
)


def problems(paths: list[Path]) -> list[str]:
    """Return what is wrong with the notebooks at `paths`, alone and together."""
    notebooks = {path: normalise.read(path) for path in paths}
    alone = [
        f"{path.name}: {text}"
        for path, notebook in notebooks.items()
        for rule in RULES
        for text in rule(notebook)
    ]
    return alone + [text for rule in TOGETHER for text in rule(notebooks)]


def main(paths: Annotated[list[Path], typer.Argument(help="Notebooks, or folders of notebooks.")]) -> None:
    """Check committed notebooks against the course's rules."""
    found = notebooks_in(paths)
    wrong = problems(found)
    for text in wrong:
        typer.echo(text)
    typer.echo(f"{len(found)} notebooks, {len(wrong)} problems")
    if wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
