"""What every browser test starts from: a working copy, the lab that serves it, a page of Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .driver import Browser, chromium, lab_server


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture
def scheme() -> str:
    return "light"


@pytest.fixture
def browser(tmp_path: Path, copy: Path, scheme: str, cluster: object) -> Iterator[Browser]:
    with lab_server(copy, tmp_path) as base, chromium(base, scheme) as opened:
        yield opened
