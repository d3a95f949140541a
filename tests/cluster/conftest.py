"""Fixtures of the cluster's own tests."""

import pytest
from rich.console import Console

from kafkalab.cluster.home import HOME_VARIABLE, SCRATCH, cache_dir


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    """State of this test alone, and a cache that holds what all share, but gets nothing new of theirs."""
    shared = cache_dir()
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    own = tmp_path / "cache"
    own.mkdir()
    for path in (path for path in shared.glob("*") if not path.name.startswith(SCRATCH)):
        (own / path.name).symlink_to(path)
    return tmp_path


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A home in which kafkalab was never used."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def console():
    return Console(quiet=True)
