"""The visual language, in one place: what looks how, in light and dark.

    record           blue   circle       batch    amber  square
    request          violet arrow right  answer   green  arrow left
    broker           slate  hexagon      failure  red    diamond

Shape and words say what colour says. Text is at least 4.5:1 against its ground in both schemes; the panel
paints its own ground, because a picture cannot know the theme of the page around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kafkalab.course.markup import Child, Node, extend, tag

WIDTH = 860
"""Units of a full-width picture; JupyterLab in a window of 1280 pixels gives it about as many."""

# name: (light, dark); "ink" on "wash" of the same kind is readable text.
COLOURS = {
    "ground": ("#ffffff", "#14181f"),
    "lane": ("#f3f5f8", "#1d232c"),
    "rule": ("#c9d0d9", "#414b59"),
    "ink": ("#1b2430", "#e8ebf0"),
    "muted": ("#4d5866", "#aeb8c5"),
    "record": ("#1560b8", "#8cc0ff"),
    "record-wash": ("#e4effc", "#152c49"),
    "batch": ("#8f4a04", "#f5bd6b"),
    "batch-wash": ("#fcefd9", "#40290a"),
    "request": ("#5e3bb5", "#c3aef8"),
    "request-wash": ("#eee8fb", "#2c2249"),
    "answer": ("#0f6848", "#74d6ae"),
    "answer-wash": ("#dff3ea", "#0f3426"),
    "broker": ("#3c4a5c", "#b9c6d6"),
    "broker-wash": ("#e6ebf1", "#2a3340"),
    "failure": ("#a92a21", "#ff9d94"),
    "failure-wash": ("#fce6e4", "#471613"),
}
KINDS = ("record", "batch", "request", "answer", "broker", "failure")

_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"
_MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


# Rules that a picture carries only if it uses them: a new one leaves every picture drawn before as it is.
OPTIONAL = {
    "hit": "fill:none",
    "end": "text-anchor:end",
    "thick": "stroke-width:3.5",
    "absent": "fill:none;stroke:var(--muted);stroke-width:1.5",
    **{f"{kind}-wash": f"fill:var(--{kind}-wash)" for kind in KINDS},
}


def stylesheet(used: Collection[str] = ()) -> str:
    """Return the style sheet of a picture that uses these classes."""
    rules = [
        f"text{{{_FONT};fill:var(--ink);font-size:14px}}",
        ".title{font-size:15px;font-weight:600}",
        f".mono{{{_MONO};font-size:12.5px}}",
        ".muted{fill:var(--muted)}.small{font-size:12.5px}.bold{font-weight:700}.middle{text-anchor:middle}",
        ".ground{fill:var(--ground)}.lane{fill:var(--lane)}",
        ".dead{fill:var(--lane);stroke:var(--failure);stroke-width:2;stroke-dasharray:7 5}",
        ".rule{stroke:var(--rule);stroke-width:1;fill:none}",
        ".line{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}",
    ]
    for kind in KINDS:
        rules += [
            f".{kind}-box{{fill:var(--{kind}-wash);stroke:var(--{kind});stroke-width:1.5}}",
            f".{kind}-badge{{fill:var(--{kind})}}.{kind}-line{{stroke:var(--{kind})}}.{kind}-ink{{fill:var(--{kind})}}",
        ]
    rules.append(".on-badge{fill:var(--ground);font-size:12.5px;font-weight:700;text-anchor:middle}")
    rules += [f".{name}{{{rule}}}" for name, rule in OPTIONAL.items() if name in used]
    return f"{_variables(0)}@media(prefers-color-scheme:dark){{{_variables(1)}}}{''.join(rules)}"


def _variables(scheme: int) -> str:
    values = "".join(f"--{name}:{pair[scheme]};" for name, pair in COLOURS.items())
    return f"svg{{{values}}}"


def panel(height: float, *children: Child, width: float = WIDTH) -> Node:
    """Return an SVG of `width` by `height` with the course's ground and styles."""
    used = {name for child in children for name in _classes(child)}
    svg = tag(
        "svg",
        tag("style", stylesheet(used)),
        tag("rect", class_="ground", width=width, height=height, rx=10),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
    )
    return extend(svg, children)


def _classes(child: Child) -> Iterator[str]:
    if isinstance(child, Node):
        for node in child.iter():
            yield from node.get("class", "").split()


def text(x: float, y: float, words: str, style: str = "") -> Node:
    """Return a line of text whose baseline starts at (x, y)."""
    return tag("text", words, x=float(x), y=float(y), class_=style or None)


def fit(words: str, width: float, per_character: float = 7.6) -> str:
    """Return `words`, cut with an ellipsis where they would be wider than `width`."""
    room = int(width / per_character)
    return words if len(words) <= room else words[: room - 1] + "…"


def badge(kind: str, x: float, y: float, label: str) -> Node:
    """Return the sign of a `kind` centred at (x, y): its shape, with `label` in it."""
    return tag("g", _shape(kind, x, y), text(x, y + 4.5, label, "on-badge"))


def _shape(kind: str, x: float, y: float) -> Node:
    style = f"{kind}-badge"
    if kind == "record":
        return tag("circle", cx=float(x), cy=float(y), r=12, class_=style)
    if kind == "batch":
        return tag("rect", x=x - 11.0, y=y - 11.0, width=22, height=22, rx=3, class_=style)
    corners = [(x + dx, y + dy) for dx, dy in _CORNERS[kind]]
    return tag("polygon", points=" ".join(f"{px:g},{py:g}" for px, py in corners), class_=style)


_CORNERS = {
    "request": ((-12, -11), (5, -11), (14, 0), (5, 11), (-12, 11)),
    "answer": ((12, -11), (-5, -11), (-14, 0), (-5, 11), (12, 11)),
    "broker": ((-13, 0), (-7, -11), (7, -11), (13, 0), (7, 11), (-7, 11)),
    "failure": ((-14, 0), (0, -14), (14, 0), (0, 14)),
}


def arrow(points: list[tuple[float, float]], kind: str, *, dashed: bool = False) -> Node:
    """Return a line through `points` with a head at its end."""
    (x0, y0), (x, y) = points[-2:]
    way = (x > x0) - (x < x0), (y > y0) - (y < y0)
    path = "M" + "L".join(f"{px:g} {py:g}" for px, py in points)
    line = tag("path", d=path, class_=f"line {kind}-line" + (" dashed" if dashed else ""))
    return tag("g", line, tag("polygon", points=_head(x, y, way), class_=f"{kind}-badge"))


def cross(points: list[tuple[float, float]], kind: str) -> list[Node]:
    """Return a line through `points` that ends in a cross: what travelled on it got lost."""
    x, y = points[-1]
    line = tag("path", d="M" + "L".join(f"{px:g} {py:g}" for px, py in points), class_=f"line {kind}-line")
    strokes = f"M{x - 7:g} {y - 7:g}l14 14m0 -14l-14 14"
    return [line, tag("path", d=strokes, class_=f"line {kind}-line thick")]


def _head(x: float, y: float, way: tuple[int, int]) -> str:
    dx, dy = way
    back, side = 9, 5
    tail = (x - back * dx, y - back * dy)
    left, right = (tail[0] + side * dy, tail[1] + side * dx), (tail[0] - side * dy, tail[1] - side * dx)
    return " ".join(f"{px:g},{py:g}" for px, py in ((x + dx, y + dy), left, right))
