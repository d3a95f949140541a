"""The scoreboard: whose producer came through which storm, kept locally, comparable in a class.

    board = Scoreboard.beside(lab.progress)
    compete(board, lab.cluster, "ann", Settings(), seed=8)
    board.export("ann.json")                  # one file to hand in
    Scoreboard.merged("ann.json", "bob.json") # a table of the whole class

Rules
- Machines differ, so a rate counts as a multiple of the rate of a reference (Producer's defaults) that went
  through the same storm at the same time.
- Who reached the goal comes first; then the higher multiple; then who kept a record waiting less.
- A file is JSON: {"format": "kafkalab-scoreboard", "version": 1, "rows": [...]}. One that is not is refused,
  with the field that is wrong; it is never overwritten.

Leaves out: proof. Whoever wants to can write any number into the file.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kafkalab
from kafkalab.course import exercise
from kafkalab.course.cards import Shown, display
from kafkalab.course.markup import html
from kafkalab.course.progress import Progress, replace_text
from kafkalab.course.runs import DAMAGE, Run
from kafkalab.course.storm import storm
from kafkalab.course.views.tables import table
from kafkalab.course.weather import forecast

FORMAT, VERSION = "kafkalab-scoreboard", 1
REFERENCE = "defaults"
HEAD = (
    "Name",
    "Storm",
    "Goal",
    "Damage",
    "Rate, defaults = 1",
    "Slowest (s)",
    "p99 (s)",
    "Settings",
    "Course",
)
NAME_LENGTH = 40


class ScoreboardError(ValueError):
    """A scoreboard's file, or a name, is not as it should be; the message says how it should."""


@dataclass(frozen=True)
class Row:
    """One run on the board."""

    name: str
    seed: int
    settings: dict[str, str]
    reached: bool
    counts: dict[str, int]
    """Kind of damage -> how many records."""
    rate: float
    reference_rate: float
    slowest_s: float
    p99_s: float
    course: str

    @classmethod
    def of(cls, name: str, run: Run, reference: Run) -> Row:
        """Return the row of a run; raises ScoreboardError for a name that is none."""
        if not isinstance(name, str) or not 0 < len(name.strip()) <= NAME_LENGTH:
            raise ScoreboardError(f"name={name!r}: give a text of 1 to {NAME_LENGTH} characters.")
        return cls(
            name.strip(),
            run.seed,
            run.settings,
            not run.missed(),
            {kind: run.count(kind) for kind in DAMAGE},
            round(run.rate, 1),
            round(reference.rate, 1),
            round(run.slowest_s, 3),
            round(run.p99_s, 3),
            kafkalab.__version__,
        )

    @property
    def ratio(self) -> float:
        """The rate as a multiple of the reference's; 0 if that never came through."""
        return self.rate / self.reference_rate if self.reference_rate else 0.0

    def cells(self) -> tuple[str, ...]:
        """Return the row as the table shows it."""
        damage = ", ".join(f"{number} {kind}" for kind, number in self.counts.items() if number)
        chosen = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return (
            self.name,
            str(self.seed),
            "reached" if self.reached else "missed",
            damage or "-",
            f"{self.ratio:.2f}",
            f"{self.slowest_s:.1f}",
            f"{self.p99_s:.1f}",
            chosen or "-",
            self.course,
        )


class Scoreboard:
    """Rows, and the file that keeps them (None: memory only)."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the board kept at `path`; raises ScoreboardError if something else is there."""
        self.path = path
        self._rows = _read(path) if path is not None and path.exists() else []

    @classmethod
    def beside(cls, progress: Progress) -> Scoreboard:
        """Return the learner's own board, beside the progress file."""
        return cls(progress.path and progress.path.parent / "scoreboard.json")

    @classmethod
    def merged(cls, *files: str | Path) -> Scoreboard:
        """Return a board of the rows of several files, each row once; it is kept nowhere."""
        board = cls()
        for file in files:
            board._rows = _each_once([*board._rows, *_read(Path(file))])
        return board

    @property
    def rows(self) -> list[Row]:
        """All rows, the best first."""
        return sorted(self._rows, key=lambda each: (not each.reached, -each.ratio, each.slowest_s, each.name))

    def add(self, row: Row) -> None:
        """Put a row on the board, and keep it."""
        kept = _read(self.path) if self.path is not None and self.path.exists() else self._rows
        self._rows = _each_once([*kept, row])  # another kernel may have written meanwhile
        if self.path is not None:
            _write(self.path, self._rows)

    def export(self, file: str | Path) -> Path:
        """Write the board to a file of its own, and return its path; raises FileExistsError."""
        path = Path(file)
        if path.exists():
            raise FileExistsError(f"{path} is there already: give another name.")
        _write(path, self.rows)
        return path

    def __repr__(self) -> str:
        return self._table().text

    def _repr_html_(self) -> str:
        return html(self._table().markup)

    def _table(self) -> Shown:
        title = "Scoreboard" if self._rows else "Scoreboard: nobody is on it yet"
        return table(title, HEAD, [each.cells() for each in self.rows])


def compete(board: Scoreboard, cluster: Any, name: str, answer: Any, seed: int = 8) -> None:
    """Send `answer.settings()` through a storm beside the defaults, put it on the board, show the board."""
    if not exercise.unattempted(answer, "settings"):
        runs = storm(cluster, forecast(seed), {REFERENCE: {}, "entry": answer.settings()})
        board.add(Row.of(name, runs["entry"], runs[REFERENCE]))
    display(board)


# --- files ----------------------------------------------------------------------------------------


def _each_once(rows: Iterable[Row]) -> list[Row]:
    return list({json.dumps(dataclasses.asdict(row), sort_keys=True): row for row in rows}.values())


def _write(path: Path, rows: Iterable[Row]) -> None:
    content = {"format": FORMAT, "version": VERSION, "rows": [dataclasses.asdict(row) for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, json.dumps(content, indent=1) + "\n")


def _read(path: Path) -> list[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScoreboardError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise ScoreboardError(f"{path} is no JSON ({error}): take a file that export() wrote.") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ScoreboardError(f"{path} is no scoreboard: take a file that export() wrote.")
    if content.get("version") != VERSION:
        raise ScoreboardError(
            f"{path} is of version {content.get('version')!r}; this course reads {VERSION}."
        )
    rows = content.get("rows")
    if not isinstance(rows, list):
        raise ScoreboardError(f"{path}: rows is {rows!r}, expected a list.")
    return [_row(path, number, each) for number, each in enumerate(rows, 1)]


def _row(path: Path, number: int, told: Any) -> Row:
    where = f"{path}, row {number}"
    if not isinstance(told, dict):
        raise ScoreboardError(f"{where} is {told!r}, expected an object.")
    values = {}
    for each in dataclasses.fields(Row):
        if each.name not in told:
            raise ScoreboardError(f"{where} has no {each.name!r}.")
        if not _fits(str(each.type), value := told[each.name]):
            raise ScoreboardError(f"{where}: {each.name} is {value!r}, expected {each.type}.")
        values[each.name] = value
    return Row(**values)


def _fits(kind: str, value: Any) -> bool:
    if kind.startswith("dict"):
        inner = kind.removeprefix("dict[str, ").removesuffix("]")
        return isinstance(value, dict) and all(_fits(inner, each) for each in value.values())
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if kind in ("int", "float"):
        number = isinstance(value, int) or (kind == "float" and isinstance(value, float))
        return number and 0 <= value < 1e12
    return isinstance(value, str) and len(value) <= 500
