"""A cluster that is none: what the course's own logic needs of one, kept in memory."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest

from kafkalab.course.progress import Progress


class FakeCluster:
    """Duck-typed as kafkalab.Cluster, as far as chapters use it."""

    prefix = ""
    backend = "fake"
    broker_ids = (1, 2, 3)

    def __init__(self) -> None:
        self.healed = 0
        self.topics: list[tuple[str, dict[str, Any]]] = []

    def heal(self) -> None:
        self.healed += 1

    def partitions(self, topic: str) -> list[int]:
        return [0, 1, 2]

    def recreate_topic(self, name: str, **options: Any) -> None:
        self.topics.append((name, options))


@pytest.fixture
def fake_cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def progress() -> Progress:
    return Progress(None)


def notebook(*cells: str | tuple[str, Any], executed: bool = True) -> Any:
    """Return a notebook; str: code; ("md", text): prose; ("out", (source, outputs)): code with outputs."""
    built, count = [], 0
    for cell in cells:
        if isinstance(cell, tuple) and cell[0] == "md":
            built.append(nbformat.v4.new_markdown_cell(cell[1]))
            continue
        count += 1
        source, outputs = cell[1] if isinstance(cell, tuple) else (cell, [])
        number = count if executed else None
        built.append(nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=number))
    return nbformat.v4.new_notebook(cells=built)
