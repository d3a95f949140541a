"""What a learner has shown, by chapter: predictions, claims, exercises; as a table, and as a file to hand in.

    progress file -> one Row per chapter -> a table in the notebook | one HTML file with the data in it

Rules: it tells what the progress file holds and nothing else; a wrong prediction counts like a right one, for
it was made before looking; the file needs nothing from elsewhere, prints well, and says that it was made on
the learner's own machine. Where nothing is kept (KAFKALAB_PROGRESS=off) nothing is written.

Leaves out: marks. And proof: who edits the progress file edits the summary.
"""

from __future__ import annotations

import datetime
import html as escaping
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafkalab import KAFKA_VERSION, __version__
from kafkalab.course import chapters, claims, exercise, workcopy
from kafkalab.course.cards import Shown, card, display, paragraph
from kafkalab.course.chapters import ChapterEntry
from kafkalab.course.markup import html, tag
from kafkalab.course.progress import MARKER, Progress, open_progress, replace_text, working_copy

DATA_ID = "kafkalab-summary"
"""Of the script element that holds the data, as JSON, in an exported file."""
COLUMNS = ("Chapter", "Predictions", "of them right", "Claims seen", "Exercises passed", "Finished")


@dataclass(frozen=True)
class Row:
    """One chapter: guesses beside what happened, ids of claims seen, exercises by name with their status."""

    entry: ChapterEntry
    guesses: Mapping[str, tuple[str, str | None]]
    claims: tuple[str, ...]
    exercises: Mapping[str, str]
    passed_on: Mapping[str, str]
    done: bool

    @classmethod
    def of(cls, entry: ChapterEntry, progress: Progress) -> Row:
        """Read what `progress` holds of this chapter; what the course no longer has is left out."""
        happened = progress.under(f"{entry.number}/happened")
        guesses = progress.under(f"{entry.number}/predict")
        seen = progress.under(f"{entry.number}/claim")
        tried = progress.under(f"{entry.number}/exercise")
        return cls(
            entry,
            {name: (str(guess), _words(happened.get(name))) for name, guess in guesses.items()},
            tuple(claim.id for claim in claims.load().values() if seen.get(claim.id)),
            {name: str(tried[name]) for name in _exercises(entry) if name in tried},
            {name: str(day) for name, day in progress.under(f"{entry.number}/passed").items()},
            bool(progress.get(f"{entry.number}/done")),
        )

    @property
    def empty(self) -> bool:
        """Whether nothing of the chapter was run."""
        return not (self.guesses or self.claims or self.exercises or self.done)

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows of it, by COLUMNS."""
        right = sum(guess == happened for guess, happened in self.guesses.values())
        all_claims = sum(claim.chapter == self.entry.number for claim in claims.load().values())
        passed = sum(status == "correct" for status in self.exercises.values())
        return (
            f"{self.entry.number} {self.entry.title}",
            str(len(self.guesses)),
            str(right),
            f"{len(self.claims)} of {all_claims}",
            f"{passed} of {len(_exercises(self.entry))}",
            "yes" if self.done else "no",
        )

    def data(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        return {
            "chapter": self.entry.number,
            "title": self.entry.title,
            "finished": self.done,
            "predictions": {
                name: {"predicted": guess, "happened": happened}
                for name, (guess, happened) in self.guesses.items()
            },
            "claims": {name: claims.load()[name].verdict for name in self.claims},
            "exercises": {
                name: {"status": status, "passed_on": self.passed_on.get(name)}
                for name, status in self.exercises.items()
            },
        }


class Summary(Shown):
    """What was shown so far, as a card; `export()` writes it as one file."""

    def __init__(self, progress: Progress | None = None) -> None:
        """Read `progress` (the learner's own, unless given)."""
        self.progress = progress or open_progress()
        self.rows = [Row.of(entry, self.progress) for entry in chapters.CHAPTERS]
        begun = [row for row in self.rows if not row.empty]
        shown = _card(begun) if begun else _nothing()
        super().__init__(shown.text, shown.markup)

    def data(self, name: str = "") -> dict[str, Any]:
        """Return all of it as JSON data; `name` is what the learner calls themselves."""
        return {
            "name": name,
            "made_on": _today(),
            "kafkalab": __version__,
            "kafka": KAFKA_VERSION,
            "chapters": [row.data() for row in self.rows if not row.empty],
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
        _check_free(path)
        if self.progress.path is None:
            words = "Nothing is kept here (KAFKALAB_PROGRESS=off), so nothing was written."
        else:
            replace_text(path, page(self, name))
            words = f"Written to {path}: it opens in any browser, and your teacher can collect it."
        display(card("neutral", "Summary", paragraph(words), text=f"Summary: {words}"))


def progress_of(directory: Path | None) -> Progress:
    """Return the progress of the working copy `directory`; None: of this one, or of the lab's own.

    Raises NotADirectoryError for a `directory` that is no working copy.
    """
    if directory is not None and not (directory / MARKER).is_dir():
        raise NotADirectoryError(f"{directory} is no working copy: give one that `kafkalab new` has made.")
    target = directory or (None if working_copy() else workcopy.default_target())
    if target is None or not (target / MARKER).is_dir():
        return open_progress()
    return Progress(target / MARKER / "progress.json")


def read(path: str | Path) -> dict[str, Any]:
    """Return the data of an exported file; ValueError if it is none."""
    try:
        _, found, rest = Path(path).read_text(encoding="utf-8").partition(f'id="{DATA_ID}">')
        data = json.loads(rest.partition("</script>")[0]) if found else None
    except ValueError:
        data = None
    if not isinstance(data, dict) or "chapters" not in data:
        raise ValueError(f"{path} is no summary of this course: hand in what export() wrote.")
    return data


def _check_free(path: Path) -> None:
    try:
        if path.exists():
            read(path)
    except ValueError as error:
        raise FileExistsError(f"{path} holds something else: choose another name.") from error


def page(summary: Summary, name: str = "") -> str:
    """Return the file: a page to read and to print, with the data in it."""
    data = summary.data(name)
    rows = [row for row in summary.rows if not row.empty]
    who = f"{escaping.escape(name)} has shown" if name else "Shown"
    # No "<" at all: a guess that holds "<!--<script>" would keep the element open.
    embedded = json.dumps(data, indent=1, sort_keys=True).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>kafkalab: what was shown</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>The Apache Kafka producer</h1>\n<p>{who} on real brokers (Apache Kafka {data['kafka']}), with "
        f"kafkalab {data['kafkalab']}, up to {data['made_on']}:</p>\n"
        f"{html(_table(rows))}\n{''.join(map(_chapter, rows))}\n"
        "<p><small>Made from the learner's own progress file, on the learner's own machine. It tells what "
        "was run there; it is no proof.</small></p>\n</main>\n"
        f'<script type="application/json" id="{DATA_ID}">{embedded}</script>\n</body>\n</html>\n'
    )


_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:2em 1em}"
    "main{max-width:52em;margin:auto}h1{margin:0 0 .3em}h2{font-size:1.1em;margin:1.6em 0 .3em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3em .8em;vertical-align:top;"
    "border-bottom:1px solid #8888}td:first-child{white-space:nowrap}ul{margin:.3em 0;padding-left:1.2em}"
    "@media print{body{padding:0;font-size:11pt}h2{break-after:avoid}tr,li{break-inside:avoid}}"
)


def _chapter(row: Row) -> str:
    known = claims.load()
    lines = [f"Saw ({known[name].verdict}): {known[name].fact}" for name in row.claims]
    lines += [
        f"Predicted “{guess}”; " + ("it was so." if guess == happened else f"it was “{happened or '?'}”.")
        for guess, happened in row.guesses.values()
    ]
    lines += [
        f"Exercise {name}: {'passed ' + row.passed_on.get(name, '') if status == 'correct' else 'tried'}"
        for name, status in row.exercises.items()
    ]
    if not lines:
        return ""
    heading = tag("h2", f"{row.entry.number} {row.entry.title}")
    return html(tag("section", heading, tag("ul", *(tag("li", line.strip()) for line in lines))))


def _table(rows: Sequence[Row]) -> Any:
    head = tag("tr", *(tag("th", name, scope="col", style="text-align:left") for name in COLUMNS))
    body = [tag("tr", *(tag("td", cell, style="text-align:left") for cell in row.cells())) for row in rows]
    return tag("table", tag("thead", head), tag("tbody", *body))


def _card(rows: Sequence[Row]) -> Shown:
    title = "What you have shown"
    lines = [
        "; ".join(f"{name}: {cell}" for name, cell in zip(COLUMNS, row.cells(), strict=True)) for row in rows
    ]
    return card("claim", title, _table(rows), text="\n  ".join([title, *lines]))


def _nothing() -> Shown:
    words = "Nothing yet. Run a chapter, make a guess, pass an exercise; then run this cell again."
    return card("neutral", "What you have shown", paragraph(words), text=f"What you have shown\n  {words}")


def _exercises(entry: ChapterEntry) -> tuple[str, ...]:
    return tuple(name for number, name in exercise.registry() if number == entry.number)


def _words(value: Any) -> str | None:
    return None if value is None else str(value)


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()
