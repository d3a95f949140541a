"""What a test may need of this machine (its marker says so), and what the absence of that means.

KAFKALAB_REQUIRE names what must not be missing ("containers", "browser", comma-separated, or "all"): then a
test that lacks it fails, as in CI. Otherwise it is skipped and says why.
"""

import os
import shutil
from collections.abc import Callable
from functools import cache

import pytest

from kafkalab.cluster import choice

REQUIRE_VARIABLE = "KAFKALAB_REQUIRE"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@cache
def without_containers() -> str | None:
    return choice.module("containers").unavailable()


def without_browser() -> str | None:
    return None if any(map(shutil.which, BROWSERS)) else f"none of {', '.join(BROWSERS)} is on the PATH"


NEEDS: dict[str, Callable[[], str | None]] = {"containers": without_containers, "browser": without_browser}


def demand(item: pytest.Item) -> None:
    """Skip or fail a test whose markers name what this machine lacks."""
    for need, why_missing in NEEDS.items():
        if item.get_closest_marker(need) and (reason := why_missing()):
            lacking(need, reason)


def lacking(need: str, reason: str) -> None:
    """Skip the running test for want of `need`, or fail it where that is required."""
    required = os.environ.get(REQUIRE_VARIABLE, "").split(",")
    if need in required or "all" in required:
        pytest.fail(f"{REQUIRE_VARIABLE} demands {need}, but: {reason}", pytrace=False)
    pytest.skip(reason)
