"""The links from chapter to chapter, as the table of chapters has them: `make docs` writes them.

Rules: the line under the question begins with the minutes and ends with the links to the chapters before and
after; the last line of a chapter is these links. What else stands there ("needs ...") is the author's.
"""

from __future__ import annotations

import re
from typing import Any

from kafkalab.course import normalise, workcopy
from kafkalab.course.chapters import ChapterEntry, neighbours

_MINUTES = re.compile(r"^\d+ minutes( · .*)?$", re.MULTILINE)
_LINK = re.compile(r"(before|after|next|start): ", re.IGNORECASE)


def text(entry: ChapterEntry) -> str:
    """Return the file of the chapter's notebook, its links put right."""
    return normalise.dumps(linked(normalise.read(workcopy.source() / entry.notebook), entry))


def linked(notebook: Any, entry: ChapterEntry) -> Any:
    """Return `notebook`, with its links put right in place; ValueError if there is no place for them."""
    first, last = notebook.cells[0], notebook.cells[-1]
    found = _MINUTES.search(first.source)
    if found is None or last.cell_type != "markdown":
        raise ValueError(
            f"{entry.notebook}: expected a line 'NN minutes · needs ...' in cell 1, prose in the last one."
        )
    says = [part for part in found[0].split(" · ")[1:] if not _LINK.match(part)]
    line = " · ".join([f"{entry.minutes} minutes", *says, *links(entry)])
    first.source = first.source.replace(found[0], line, 1)
    lines = last.source.splitlines()
    if _LINK.match(lines[-1]):
        lines.pop()
    end = " · ".join(each[0].upper() + each[1:] for each in links(entry))
    last.source = "\n".join(lines).rstrip() + "\n\n" + end
    return notebook


def links(entry: ChapterEntry) -> list[str]:
    """Return the links to the chapters before and after."""
    both = zip(("before", "next"), neighbours(entry), strict=True)
    return [f"{word}: [{each.number} {each.title}]({each.notebook})" for word, each in both if each]
