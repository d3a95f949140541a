"""HTML and SVG as trees, never as glued strings: escaping and nesting are the library's business.

`tag("td", "text", colspan="2")` makes an element; children are elements, strings or None (left out).
A trailing or inner underscore in an attribute's name stands for what Python cannot spell: `class_` is
`class`, `stroke_width` is `stroke-width`. Attribute values are written as given; None leaves one out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from xml.etree import ElementTree as ET

Node = ET.Element
Child = Node | str | None


def tag(name: str, *children: Child, **attributes: str | float | None) -> Node:
    """Return an element with `children` in order."""
    node = ET.Element(name)
    for key, value in attributes.items():
        if value is not None:
            node.set(key.rstrip("_").replace("_", "-"), _text(value))
    extend(node, children)
    return node


def extend(node: Node, children: Iterable[Child]) -> Node:
    """Append `children` to `node` and return it."""
    for child in children:
        if isinstance(child, str):
            _append_text(node, child)
        elif child is not None:
            node.append(child)
    return node


def html(node: Node) -> str:
    """Serialise as HTML."""
    return _serialise(node, "html")


def xml(node: Node) -> str:
    """Serialise as XML (SVG)."""
    return _serialise(node, "xml")


def _serialise(node: Node, method: Literal["html", "xml"]) -> str:
    return ET.tostring(node, encoding="unicode", method=method)


def _text(value: str | float) -> str:
    # Coordinates: two decimals at most, no trailing zeros, so that pictures are equal on every machine.
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _append_text(node: Node, text: str) -> None:
    if len(node):
        node[-1].tail = (node[-1].tail or "") + text
    else:
        node.text = (node.text or "") + text
