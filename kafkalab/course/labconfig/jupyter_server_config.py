"""What JupyterLab does differently in the course: saved notebooks carry no timings and no dead widget ids."""

import warnings
from typing import Any

from kafkalab.course.normalise import tidy_for_saving


def tidy(model: dict[str, Any], **_: Any) -> None:
    """Tidy a notebook that is about to be saved; other files pass untouched."""
    if model.get("type") == "notebook" and model.get("content"):
        tidy_for_saving(model["content"])


# Jupyter reads this file twice, for the server and for the lab, and warns that the second replaces the first.
warnings.filterwarnings("ignore", message="Overriding existing pre_save_hook")
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - the configuration loader provides it
c.ContentsManager.pre_save_hook = tidy
