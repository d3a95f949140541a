"""What a learner has shown, by chapter: predictions, claims, exercises; as cards, and as a file to hand in.

    progress file -> one Row per chapter -> cards in the notebook | data -> certificate.py -> one HTML file

Rules: it tells what the progress file holds and nothing else; a wrong prediction counts like a right one, but
only if it was made before looking; an exercise that passed once has passed.

Leaves out: marks. And proof: who edits the progress file edits the summary.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kafkalab import KAFKA_VERSION, __version__
from kafkalab.course import certificate, chapters, claims, exercise, workcopy
from kafkalab.course.cards import Picture, Shown, card, display, paragraph
from kafkalab.course.chapters import ChapterEntry
from kafkalab.course.progress import MARKER, Progress, open_progress, replace_text, working_copy
from kafkalab.course.views.course import course_picture
from kafkalab.course.views.tables import grid

COLUMNS = ("Chapter", "Predictions", "of them right", "Claims seen", "Exercises passed", "Finished")


class Guess(NamedTuple):
    """One prediction; `before` tells whether it was made before looking, `happened` is None until then."""

    question: str
    predicted: str
    happened: str | None
    before: bool

    @property
    def counts(self) -> bool:
        """Whether it was put to the test, and made before that."""
        return self.before and self.happened is not None

    @property
    def right(self) -> bool:
        """Whether it counts, and was so."""
        return self.counts and self.predicted == self.happened


@dataclass(frozen=True)
class Row:
    """One chapter: guesses and exercises by name, ids of claims seen, dates by exercise."""

    entry: ChapterEntry
    guesses: Mapping[str, Guess]
    claims: tuple[str, ...]
    exercises: Mapping[str, str]
    passed_on: Mapping[str, str]
    done: bool

    @classmethod
    def of(cls, entry: ChapterEntry, progress: Progress) -> Row:
        """Read what `progress` holds of this chapter; what the course no longer has is left out."""
        seen = progress.under(f"{entry.number}/claim")
        tried = progress.under(f"{entry.number}/exercise")
        passed = progress.under(f"{entry.number}/passed")
        return cls(
            entry,
            _guesses(entry, progress),
            tuple(claim.id for claim in claims.of_chapter(entry.number) if seen.get(claim.id)),
            {
                name: "correct" if name in passed else str(tried[name])
                for name in exercises_of(entry)
                if name in tried
            },
            {name: str(day) for name, day in passed.items()},
            bool(progress.get(f"{entry.number}/done")),
        )

    @property
    def empty(self) -> bool:
        """Whether nothing of the chapter was run."""
        return not (self.guesses or self.claims or self.exercises or self.done)

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows of it, by COLUMNS."""
        return (
            f"{self.entry.number} {self.entry.title}",
            str(sum(guess.counts for guess in self.guesses.values())),
            str(sum(guess.right for guess in self.guesses.values())),
            f"{len(self.claims)} of {len(claims.of_chapter(self.entry.number))}",
            f"{list(self.exercises.values()).count('correct')} of {len(exercises_of(self.entry))}",
            "yes" if self.done else "no",
        )

    def data(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        return {
            "chapter": self.entry.number,
            "title": self.entry.title,
            "finished": self.done,
            "of": {
                "claims": len(claims.of_chapter(self.entry.number)),
                "exercises": len(exercises_of(self.entry)),
            },
            "predictions": {name: guess._asdict() for name, guess in self.guesses.items()},
            "claims": {name: claims.find(name).verdict for name in self.claims},
            "exercises": {
                name: {"status": status, "passed_on": self.passed_on.get(name)}
                for name, status in self.exercises.items()
            },
        }


class Summary(Shown):
    """What was shown so far, as a card; `map` is a picture, `export()` writes all as one file."""

    def __init__(self, progress: Progress | None = None) -> None:
        """Read `progress` (the learner's own, unless given)."""
        self.progress = progress or open_progress()
        self.rows = [Row.of(entry, self.progress) for entry in chapters.CHAPTERS]
        self.begun = [row for row in self.rows if not row.empty]
        shown = _card(self.begun) if self.begun else _nothing()
        super().__init__(shown.text, shown.markup)

    @property
    def map(self) -> Picture:
        """The course as a picture, with what was finished and what was begun."""
        done = {row.entry.number for row in self.begun if row.done}
        return course_picture(chapters.CHAPTERS, done, {row.entry.number for row in self.begun} - done)

    def data(self, name: str = "") -> dict[str, Any]:
        """Return all of it as JSON data; `name` is what the learner calls themselves."""
        return {
            "format": certificate.FORMAT,
            "version": certificate.VERSION,
            "name": name.strip(),
            "made_on": _today(),
            "kafkalab": __version__,
            "kafka": KAFKA_VERSION,
            "of": {
                "chapters": len(self.rows),
                "claims": len(claims.load()),
                "exercises": len(exercise.registry()),
            },
            "chapters": [row.data() for row in self.begun],
        }

    def export(self, path: str | Path = "kafkalab-summary.html", name: str = "") -> None:
        """Write the summary to `path`, HTML with the data in it, and say so; an older one is replaced.

        Raises FileNotFoundError for a directory that is not there, ValueError for a name that is not .html,
        FileExistsError for a page that is no summary.
        """
        path = Path(path)
        if path.suffix.lower() not in {".html", ".htm"}:
            raise ValueError(f"{path} is to hold a page: call it {path.stem}.html")
        if not path.absolute().parent.is_dir():
            raise FileNotFoundError(f"There is no directory {path.absolute().parent}: make it first.")
        if path.exists() and not certificate.is_one(path):
            raise FileExistsError(f"{path} holds something else: choose another name.")
        if self.begun:
            replace_text(path, certificate.page(self.data(name)))
            words = (
                f"Written to {path}: it opens in any browser, prints well, and your teacher can collect it."
            )
        else:
            words = "Nothing was shown yet, so nothing was written. Run a chapter, then this cell again."
        display(card("neutral", "Summary", paragraph(words), text=f"Summary: {words}"))


def progress_of(directory: Path | None) -> Progress:
    """Return the progress of the working copy `directory`; None: of this one, or of the lab's own.

    Raises NotADirectoryError where `directory` is no working copy.
    """
    if directory is not None and not (directory / MARKER).is_dir():
        raise NotADirectoryError(f"{directory} is no working copy: give one that `kafkalab new` has made.")
    target = directory or (None if working_copy() else workcopy.default_target())
    if target is None or not (target / MARKER).is_dir():
        return open_progress()
    return Progress(target / MARKER / "progress.json")


def exercises_of(entry: ChapterEntry) -> list[str]:
    """Return the names of the chapter's exercises."""
    return [name for number, name in exercise.registry() if number == entry.number]


def _guesses(entry: ChapterEntry, progress: Progress) -> dict[str, Guess]:
    happened = progress.under(f"{entry.number}/happened")
    asked = progress.under(f"{entry.number}/asked")
    first = progress.under(f"{entry.number}/first")
    return {
        name: Guess(
            str(asked.get(name, name)),
            str(first.get(name) or chosen),
            None if name not in happened else str(happened[name]),
            before=first.get(name) != "",
        )
        for name, chosen in progress.under(f"{entry.number}/predict").items()
    }


def _card(rows: Sequence[Row]) -> Shown:
    title = "What you have shown"
    lines = [
        "; ".join(f"{name}: {cell}" for name, cell in zip(COLUMNS, row.cells(), strict=True)) for row in rows
    ]
    table = grid(COLUMNS, ([[cell] for cell in row.cells()] for row in rows))
    return card("claim", title, table, text="\n  ".join([title, *lines]))


def _nothing() -> Shown:
    words = "Nothing yet. Run a chapter, make a guess, pass an exercise; then run this cell again."
    return card("neutral", "What you have shown", paragraph(words), text=f"What you have shown\n  {words}")


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()
