"""The table of all claims (docs/claims.md): what is believed, what the cluster said, and where to see it.

Rows stand in the order of the outline. Leaves out the evidence, which is in the chapters' outputs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from kafkalab.course import claims
from kafkalab.course.chapters import CHAPTERS
from kafkalab.course.claims import Claim

HEAD = """# Claims

What people believe about Kafka's producer, and what a real cluster says. Each claim is executed by one
cell of its chapter, which fails where the claim does not hold; what is said about the client is tried on
Kafka's Java client, too (`tests/parity/test_parity_claims.py`). Made from `kafkalab/course/claims.toml` by
`make docs`.

"""
COLUMNS = ("Outline", "Common belief", "Verdict", "What is so", "Chapter", "About")


def text(
    known: Mapping[str, Claim] | None = None,
    files: Mapping[str, str] | None = None,
    folder: str = "../notebooks",
) -> str:
    """Return the document; `files` are the notebooks of the chapters that exist, by number."""
    rows = list((claims.load() if known is None else known).values())
    files = {entry.number: entry.notebook for entry in CHAPTERS} if files is None else files
    links = {number: f"[{number}]({folder}/{file})" for number, file in files.items()}
    lines = [
        [
            each.section,
            each.belief,
            each.verdict,
            each.fact,
            links.get(each.chapter, each.chapter),
            each.subject,
        ]
        for each in sorted(rows, key=_in_the_outline)
    ]
    return HEAD + summary(rows, links) + "\n\n" + table(COLUMNS, lines) + "\n"


def summary(rows: list[Claim], links: Mapping[str, str]) -> str:
    """Return how many claims there are of which verdict, and how many a chapter executes so far."""
    verdicts = Counter(each.verdict for each in rows)
    told = ", ".join(f"{verdicts[name]} {name}" for name in claims.VERDICTS if verdicts[name])
    executed = sum(each.chapter in links for each in rows)
    missing = (
        "" if executed == len(rows) else f" {len(rows) - executed} wait for a chapter that is not written."
    )
    return f"{len(rows)} claims: {told}.{missing}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(each) for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(content: str) -> str:
    return content.replace("|", r"\|")


def _in_the_outline(claim: Claim) -> list[int]:
    # "4.2, step 4" before "4.2, step 10"; rows of one section keep the file's order.
    return [int(number) for number in re.findall(r"\d+", claim.section)]
