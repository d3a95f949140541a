"""Fixtures of the cluster's own tests."""

import pytest
from rich.console import Console

from kafkalab.cluster.home import HOME_VARIABLE, cache_dir


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    """State directories of this test alone, on the cache that all share."""
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    (tmp_path / "cache").symlink_to(cache, target_is_directory=True)
    return tmp_path


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """A home in which kafkalab was never used."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def console():
    return Console(quiet=True)
