"""docs/teeth.md: how the teeth work, and the table of mutants, as `make docs` writes it."""

from __future__ import annotations

from collections import Counter

from kafkalab.course.claims_table import table
from kafkalab.course.teeth import patch

HEAD = """# Teeth

A chapter's experiments prove something only if they would come out differently with another producer. So
every part that a chapter teaches is broken on purpose, and the chapter has to notice.

A **mutant** breaks one thing in the imported producer while the chapter's kernel runs: acknowledgements
are not waited for, the partition is one too far, memory never comes back. The source that the chapter
displays stays the original. The mutant is **killed** when a claim of the chapter does not hold, or when
an exercise's own solution is judged wrong. A changed listing, a plain assertion, an exception or a cell
that takes too long kill nothing: they tell that something is wrong, but not what. A mutant that
**survives** is a defect of the chapter.

    make teeth                                                  # all of them, and the controls
    python -m kafkalab.course.teeth --chapter 01                # one chapter's
    python -m kafkalab.course.teeth --only off-by-one           # one mutant
    python -m kafkalab.course.teeth --one-per-part --no-control # what CI runs with each change
    python -m kafkalab.course.teeth --list                      # run nothing

Each mutant gets a fresh kernel; all share one cluster, which a chapter heals when it starts. To be
quick, a mutant runs first with those cells only that its killer needs (found by the names they use and
assign), and with the whole chapter if they let it live. The **control** runs the same cells, and each
whole chapter, with the producer as it is: there everything must hold. `--json FILE` writes the outcomes.

To add one, write a function in `kafkalab/course/teeth/mutants/chNN_*.py`; `patch.py` shows how.

"""


def text() -> str:
    """Return the document."""
    mutants = patch.table()
    parts = Counter((each.chapter, each.part) for each in mutants)
    rows = [(each.chapter, each.part, each.fault, _killer(each.killer), f"`{each.name}`") for each in mutants]
    told = f"{len(mutants)} mutants of {len(parts)} parts, and who kills them:\n\n"
    return HEAD + told + table(("Chapter", "Part", "What is broken", "Killed by", "Mutant"), rows) + "\n"


def _killer(name: str) -> str:
    kind, _, exercise = name.partition(" ")
    return f"exercise `{exercise}`" if exercise else f"claim `{kind}`"
