"""Live forms: the widget that a running kernel shows, on top of a static form that needs none.

A view is a `LiveView`: `static()` gives what is compared, shown without a kernel and read aloud; the widget's
script gives what can be pointed at. What is measured (milliseconds) belongs to the live form alone.
Leaves out: what each script does (assets/*.js).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import traitlets

from kafkalab.course.cards import Picture, Shown
from kafkalab.course.markup import Node, html, xml
from kafkalab.course.views.style import COLOURS

ASSETS = Path(__file__).parents[1] / "assets"


DETAIL = "data-detail"


def script(name: str) -> str:
    """Return a view's script, with what all of them share in front of it."""
    return "".join((ASSETS / each).read_text(encoding="utf-8") for each in ("shared.js", name))


def later(before: Any, event: Any) -> str:
    """Return how long `event` came after the one `before` it, such as "0.120 ms later"; "" if unknown."""
    times: list[Any] = [getattr(each, "at", None) for each in (before, event)]
    return "" if None in times else f"{1000 * (times[1] - times[0]):.3f} ms later"


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


class Explorer(LiveView):
    """A picture whose parts can be pointed at, and gone through with a slider.

    Elements of the picture with `data_part=n` belong to part n; `details[n]` says in words what it is, with
    what is measured. `unfolds` hides, while stepping, the parts that come later. `noun` is what one part is
    called. `bytes` (in hex; `left_out` more are not there) and its `ranges` (part, start, end) add a dump
    whose bytes are linked with the parts. `drawing` is what the live form shows in place of the picture.
    """

    _esm = script("explore.js")
    drawing = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    noun = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    details = traitlets.List(traitlets.Unicode()).tag(sync=True)
    unfolds = traitlets.Bool(default_value=False).tag(sync=True)
    bytes = traitlets.Unicode().tag(sync=True)
    left_out = traitlets.Int().tag(sync=True)
    ranges = traitlets.List(traitlets.Tuple()).tag(sync=True)
    colours = traitlets.Dict(COLOURS).tag(sync=True)

    def __init__(self, picture: Picture, details: Sequence[str], noun: str, **more: Any) -> None:
        self.picture = picture
        said = {
            "drawing": xml(picture.svg),
            "alt": picture.alt,
            "noun": noun.capitalize(),
            "hint": f"Point at a {noun}, or go through them with the slider.",
            "details": list(details),
        }
        super().__init__(**(said | more))

    @property
    def equivalent(self) -> str:
        """The picture in words."""
        return self.picture.equivalent

    def static(self) -> Picture:
        """Return the picture, as it is in every run."""
        return self.picture


class Film(Explorer):
    """A picture that is drawn anew for every step: `draw(n)` returns it as after n steps."""

    redraws = traitlets.Bool(default_value=True).tag(sync=True)
    shown = traitlets.Int().tag(sync=True)

    def __init__(
        self, picture: Picture, details: Sequence[str], noun: str, draw: Callable[[int], Node], **more: Any
    ) -> None:
        super().__init__(picture, details, noun, **more)
        self.observe(lambda change: self.set_trait("drawing", xml(draw(change["new"]))), "shown")


class Drawing(NamedTuple):
    """A drawing whose elements may say in `data_detail` what they are; `words` say the whole."""

    svg: Node
    alt: str
    words: str


def exhibit(drawing: Drawing, noun: str, static: Drawing | None = None, **more: Any) -> Explorer:
    """Return a picture in whose live form the elements with details can be pointed at.

    The static form is drawn without details, so they may say what was measured; `static` replaces it where
    the drawing itself differs from run to run.
    """
    shown, details = _numbered(drawing.svg)
    picture = Picture(*(static or drawing))
    return Explorer(picture, details, noun, **({"drawing": shown, "alt": drawing.alt} | more))


def _numbered(svg: Node) -> tuple[str, list[str]]:
    """Take the details out of `svg`; return it with numbered parts in their place, and the details."""
    live = copy.deepcopy(svg)
    details: list[str] = []
    for node, plain in zip(live.iter(), svg.iter(), strict=True):
        words = node.attrib.pop(DETAIL, None)
        if words is not None:
            del plain.attrib[DETAIL]
            node.set("data-part", str(len(details)))
            details.append(words)
    return xml(live), details
