"""What a chapter shows: a card (HTML with a plain-text twin) and a picture (SVG with a text equivalent).

Rules: the same input gives the same bytes, on every machine and back end (strict nbval compares them);
meaning never rests on colour alone; text keeps the theme's own colours, so contrast is the theme's; nothing
is loaded from elsewhere. A picture travels as an <img>, because that is what an untrusted notebook shows.
"""

from __future__ import annotations

import base64
from typing import Any

from kafkalab.course.markup import Child, Node, html, tag, xml

# One accent per kind of card; each is at least 3:1 against white and against JupyterLab's dark background.
ACCENTS = {
    "chapter": "#2f7fd6",
    "predict": "#8a6fd1",
    "claim": "#1f8f6b",
    "correction": "#c26a1b",
    "exercise": "#2f7fd6",
    "correct": "#1f8f6b",
    "wrong": "#d0453e",
    "neutral": "#808792",
}


class Shown:
    """Something a notebook displays: `text` in a terminal, `markup` in a browser."""

    def __init__(self, text: str, markup: Node) -> None:
        self.text = text
        self.markup = markup

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return html(self.markup)


def card(kind: str, title: str, *children: Child, text: str) -> Shown:
    """Return a titled box; `kind` names its accent, `text` is the same said in plain text."""
    style = f"border-left:4px solid {ACCENTS[kind]};padding:4px 14px;margin:4px 0"
    heading = tag("p", tag("strong", title), style="margin:4px 0")
    return Shown(text, tag("div", heading, *children, style=style))


def paragraph(*children: Child) -> Node:
    """Return a paragraph with the card's tight margins."""
    return tag("p", *children, style="margin:4px 0")


def pairs(rows: dict[str, str]) -> Node:
    """Return a two-column table of `rows`, the left column being row headers."""
    cell = "text-align:left;vertical-align:top"
    lines = [
        tag(
            "tr",
            tag("th", name, scope="row", style=f"{cell};white-space:nowrap"),
            tag("td", value, style=cell),
        )
        for name, value in rows.items()
    ]
    return tag("table", tag("tbody", *lines), style="margin:4px 0")


class Picture(Shown):
    """A drawing: `svg` for the eye, `alt` in one sentence, `equivalent` as text that says the same."""

    def __init__(self, svg: Node, alt: str, equivalent: str) -> None:
        super().__init__(equivalent, figure(svg, alt, equivalent))
        self.svg = svg
        self.alt = alt
        self.equivalent = equivalent

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": html(self.markup)}


def figure(svg: Node, alt: str, equivalent: str) -> Node:
    """Return a picture with its text equivalent folded away below it."""
    data = base64.b64encode(xml(svg).encode()).decode()
    image = tag(
        "img",
        alt=alt,
        src=f"data:image/svg+xml;base64,{data}",
        style="max-width:100%;height:auto",
        width=svg.get("width"),
    )
    words = tag("details", tag("summary", "The picture in words"), tag("pre", equivalent))
    return tag("div", image, words)


def display(shown: object) -> None:
    """Display in a notebook; print where there is none."""
    from IPython.display import display as ipython_display  # noqa: PLC0415 - costs 0.3 s, the CLI never shows

    ipython_display(shown)
