"""Live forms: the widget that a running kernel shows, on top of a static form that needs none.

A view is a `LiveView`: `static()` gives what is compared, shown without a kernel and read aloud; the widget's
script gives what can be pointed at. What is measured (milliseconds) belongs to the live form alone.
Leaves out: what each script does (assets/*.js).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget

from kafkalab.course.cards import Shown
from kafkalab.course.markup import html

ASSETS = Path(__file__).parents[1] / "assets"


class LiveView(anywidget.AnyWidget):
    """A widget whose static form is deterministic; a subclass has `_esm` and `static()`."""

    def static(self) -> Shown:
        """Return the form that needs no kernel: the same in every run."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.static().text

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = self.static()
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, "text/plain": shown.text, "text/html": html(shown.markup)}, metadata
