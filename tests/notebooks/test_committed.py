"""The committed notebooks keep the course's rules, and executing them again gives the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkalab.course import execute, hygiene

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_they_keep_the_rules() -> None:
    assert hygiene.problems(NOTEBOOKS) == []


@pytest.mark.slow  # nbval runs each notebook in `make test`; this compares the files, to the byte
@pytest.mark.cluster
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_executing_them_again_gives_the_same_bytes(path: Path, cluster: Any) -> None:
    assert execute.run_one(path, check=True) == []
