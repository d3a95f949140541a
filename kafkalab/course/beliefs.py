"""`Beliefs`: every claim of the course, chapter by chapter, as somebody sees it who has tried some of them.

    claims.toml, progress -> one fold per chapter: what is believed, and the verdict of what was seen

Rules: the verdict, and what is so, stay hidden until the learner's own cluster has shown them; the text form
counts only. Leaves out: evidence, which is in the chapters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kafkalab.course import chapters, claims
from kafkalab.course.cards import Shown, card
from kafkalab.course.chapters import ChapterEntry
from kafkalab.course.claims import Claim
from kafkalab.course.markup import Node, tag
from kafkalab.course.progress import Progress, open_progress
from kafkalab.course.views.tables import LEFT, grid

NOT_SEEN = "not seen yet"
COLUMNS = ("Outline", "Common belief", "Verdict", "What is so")
_CELL = f"{LEFT};vertical-align:top"


class Beliefs(Shown):
    """All claims; those that this learner has seen with their verdict."""

    def __init__(self, progress: Progress | None = None) -> None:
        """Read `progress` (the learner's own, unless given)."""
        progress = progress or open_progress()
        lines, folds, sums = [], [], [0, 0]
        for entry in chapters.CHAPTERS:
            rows = claims.of_chapter(entry.number)
            seen = {claim.id for claim in rows if progress.get(f"{entry.number}/claim/{claim.id}")}
            if rows:
                lines.append(_line(entry, rows, seen))
                folds.append(_fold(lines[-1], entry, rows, seen))
                sums = [sums[0] + len(seen), sums[1] + len(rows)]
        title = f"{sums[0]} of {sums[1]} claims seen"
        shown = card("claim", title, *folds, text="\n  ".join([title, *lines]))
        super().__init__(shown.text, shown.markup)


def _line(entry: ChapterEntry, rows: Sequence[Claim], seen: Collection[str]) -> str:
    return f"{entry.number} {entry.title}: {len(seen)} of {len(rows)}"


def _fold(line: str, entry: ChapterEntry, rows: Sequence[Claim], seen: Collection[str]) -> Node:
    table = grid(COLUMNS, (_cells(claim, claim.id in seen) for claim in rows), _CELL)
    link = tag("a", f"Open {entry.number} {entry.title}", href=entry.notebook)
    return tag("details", tag("summary", line, style="cursor:pointer"), table, link)


def _cells(claim: Claim, seen: bool) -> list[list[str]]:
    verdict = (claim.verdict, claim.fact) if seen else (NOT_SEEN, "")
    return [[text] for text in (claim.section, claim.belief, *verdict)]
