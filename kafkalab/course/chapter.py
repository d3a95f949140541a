"""A chapter's set-up, and what its cells call: topic, predict, observe, claim, exercise, done.

Rules: what is shown depends on the chapter and on what the cluster did, never on ports, times or the back
end; a topic is new in every run and has the same name in every run; methods that show something display it
at once and return None, so they work anywhere in a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafkalab.course import chapters, claims, clusters, exercise, hints, recorded
from kafkalab.course.cards import Shown, card, display, paragraph
from kafkalab.course.chapters import ChapterEntry
from kafkalab.course.markup import Child, Node, html, tag
from kafkalab.course.predict import Prediction, outcome
from kafkalab.course.progress import Progress, open_progress
from kafkalab.course.views.tables import grid


class Chapter:
    """One chapter under way: `cluster` is healthy and ready, `entry` is its row of the table of chapters."""

    def __init__(self, number: str, *, cluster: Any = None, progress: Progress | None = None) -> None:
        """Join a cluster (or start one), repair what an earlier chapter broke in it."""
        self.entry: ChapterEntry = chapters.find(number)
        self.progress = progress or open_progress()
        self.cluster = cluster or clusters.join()
        self.cluster.heal()
        hints.install(self.entry, self.cluster)
        if self.cluster.backend == "external":
            recorded.install(self.entry)
        self._predictions: dict[str, Prediction] = {}

    def topic(self, name: str, **options: Any) -> str:
        """Return the name of a new, empty topic; `options` are those of `Cluster.recreate_topic`."""
        physical = f"{self.cluster.prefix}{name}"
        self.cluster.recreate_topic(physical, **options)
        return physical

    def predict(self, name: str, question: str, options: Sequence[str]) -> None:
        """Ask before the experiment; the answer is kept under `name`."""
        kept = self.progress.get(self._key("predict", name))
        self._predictions[name] = Prediction(
            name,
            question,
            options,
            kept=kept,
            on_answer=lambda answer: self._answered(name, question, answer),
        )
        display(self._predictions[name])

    def _answered(self, name: str, question: str, answer: str) -> None:
        seen = self.progress.get(self._key("happened", name)) is not None
        if seen and self.progress.get(self._key("first", name)) is None:
            # What is chosen after the experiment is no prediction: the one made before ("": none) counts.
            self.progress.put(self._key("first", name), self.progress.get(self._key("predict", name)) or "")
        self.progress.put(self._key("asked", name), question)
        self.progress.put(self._key("predict", name), answer)

    def observe(self, name: str, *, correct: str, because: str, shown: object = True) -> None:
        """Show, after the experiment, what happened beside what was predicted.

        `shown` is whether the experiment says so: AssertionError if not. A `correct` that is computed from
        what happened needs none.
        """
        if name not in self._predictions:
            raise LookupError(
                f"There is no prediction {name!r} yet (known: {', '.join(self._predictions) or 'none'}). "
                f'Run the cell with lab.predict("{name}", ...) first.'
            )
        if not shown:
            raise AssertionError(
                f"Prediction {name!r}: {correct!r} is what this experiment shows, but not in this run. "
                "Run the cells since the prediction again; if it stays so, tell whoever runs this course."
            )
        display(outcome(self._predictions[name], correct, because))
        self.progress.put(self._key("happened", name), correct)

    def claim(self, claim_id: str, holds: object, *, evidence: str = "") -> None:
        """Execute a row of claims.toml: show what happened, or raise AssertionError if `holds` is false."""
        claim = claims.find(claim_id)
        if claim.chapter != self.entry.number:
            raise ValueError(
                f"Claim {claim_id!r} belongs to chapter {claim.chapter}, not {self.entry.number}."
            )
        display(claims.execute(claim, holds, evidence))
        self.progress.put(self._key("claim", claim_id), True)

    def exercise(self, name: str) -> exercise.Sitting:
        """Return the chapter's exercise called `name`; LookupError naming the nearest if there is none."""
        return exercise.Sitting(exercise.find(self.entry.number, name), self.cluster, self.progress)

    def done(self) -> None:
        """Mark the chapter as finished and point at the next one, behind the last one at the index."""
        self.progress.put(self._key("done"), True)
        after = chapters.neighbours(self.entry)[1] or chapters.find("A0")
        title = f"Chapter {self.entry.number} done"
        text = f"{title}. Next: {after.number} {after.title}"
        display(card("chapter", title, paragraph("Next: ", _link(after)), text=text))

    def _key(self, *parts: str) -> str:
        return "/".join((self.entry.number, *parts))

    def __repr__(self) -> str:
        return self._card().text

    def _repr_html_(self) -> str:
        return html(self._card().markup)

    def _card(self) -> Shown:
        entry, brokers = self.entry, self.cluster.broker_ids
        facts = f"{entry.minutes} minutes. Brokers {', '.join(map(str, brokers))} are ready."
        title = f"{_kind(entry)} {entry.number}: {entry.title}"
        before, after = chapters.neighbours(entry)
        links = [piece for piece in (_step("Before: ", before), _step("After: ", after)) if piece is not None]
        text = f"{title}\n  {entry.question}\n  {facts}"
        return card("chapter", title, paragraph(entry.question), paragraph(facts), *links, text=text)


def _kind(entry: ChapterEntry) -> str:
    return "Appendix" if entry in chapters.APPENDICES else "Chapter"


def _step(word: str, entry: ChapterEntry | None) -> Node | None:
    return paragraph(word, _link(entry)) if entry else None


def _link(entry: ChapterEntry, *, short: bool = False) -> Node:
    return tag("a", entry.number if short else f"{entry.number} {entry.title}", href=entry.notebook)


class CourseMap(Shown):
    """The table of chapters with what this learner has finished.

    `outline` adds the sections that a chapter covers, and the chapters that it builds on.
    """

    def __init__(self, progress: Progress | None = None, *, outline: bool = False) -> None:
        progress = progress or open_progress()
        rows = [(entry, _done(progress, entry)) for entry in (*chapters.CHAPTERS, *chapters.APPENDICES)]
        names = ("Chapter", "Question", *(["Outline", "Builds on"] if outline else []), "Minutes", "Done")
        lines = [f"{entry.number} {entry.title}: {entry.question} {done}".rstrip() for entry, done in rows]
        table = grid(names, (_columns(entry, done, outline) for entry, done in rows))
        super().__init__("\n".join(lines), table)


def _columns(entry: ChapterEntry, done: str, outline: bool) -> list[Sequence[Child]]:
    links: list[Child] = []
    for need in entry.needs:
        links += [", ", _link(chapters.find(need), short=True)]
    sections: list[Sequence[Child]] = [[", ".join(entry.sections)], links[1:]] if outline else []
    return [[_link(entry)], [entry.question], *sections, [str(entry.minutes)], [done]]


def _done(progress: Progress, entry: ChapterEntry) -> str:
    return "done" if progress.get(f"{entry.number}/done") else ""
