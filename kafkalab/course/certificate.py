"""The file that a learner hands in: a page to read and to print, with its data in it; and the reader of it.

    data (summary.py) -> page(data) -> ann.html -> read(path) -> the same data
    collected("ann.html", "bob.html")  # a table of a class

Rules: the page is made from the data alone, needs nothing from elsewhere, looks well in light, dark and on
paper, and says first that it is self-reported. A file that is no summary, or of a newer kafkalab, is refused
by name. Leaves out: proof.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kafkalab.course import claims
from kafkalab.course.cards import Shown
from kafkalab.course.markup import Child, Node, extend, html, tag
from kafkalab.course.views.style import COLOURS
from kafkalab.course.views.tables import table

FORMAT, VERSION = "kafkalab-summary", 1
HEAD = ("Name", "Chapters", "Claims", "Exercises", "Predictions right", "Made on", "Course", "File")
TITLE = "The Apache Kafka producer, taken apart"
SELF_REPORTED = (
    "Self-reported. Made on the learner's own machine, from a file that the learner can edit. It tells what "
    "was run there; it proves nothing to somebody who distrusts the learner."
)
MARKS = {"true": "✓", "false": "✗", "outdated": "↺", "incomplete": "½", "depends": "~"}
KINDS = {
    "true": "answer",
    "false": "failure",
    "outdated": "batch",
    "incomplete": "request",
    "depends": "broker",
}


def read(path: str | Path) -> dict[str, Any]:
    """Return the data of an exported file; ValueError if it is none, or of another version."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}: give one that was handed in.")
    data = _data(Path(path))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"{path} is no summary of this course: hand in what export() wrote.")
    if data.get("version") != VERSION:
        raise ValueError(
            f"{path} is of version {data.get('version')!r}, not {VERSION}: install a newer kafkalab."
        )
    return data


def is_one(path: Path) -> bool:
    """Tell whether the file is a summary, of whatever version."""
    data = _data(path)
    return isinstance(data, dict) and data.get("format") == FORMAT


def _data(path: Path) -> Any:
    try:
        _, _, rest = path.read_text(encoding="utf-8").partition(f'id="{FORMAT}">')
        return json.loads(rest.partition("</script>")[0])
    except ValueError:
        return None


def collected(*files: str | Path) -> Shown:
    """Return the table of a class: one line for each file that was handed in; ValueError names a bad one."""
    return table("Handed in", HEAD, [_line(Path(file), read(file)) for file in files])


def _line(path: Path, data: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        told, whole = _totals(data), data["of"]
        return (
            str(data["name"]) or "-",
            *(f"{told[what]} of {whole[what]}" for what in ("chapters", "claims", "exercises")),
            f"{told['right']} of {told['made']}",
            str(data["made_on"]),
            f"{data['kafkalab']}, Kafka {data['kafka']}",
            path.name,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} was changed after it was written: something is missing in it.") from error


def page(data: Mapping[str, Any]) -> str:
    """Return the page."""
    # No "<" at all: a guess that holds "<!--<script>" would keep the element open.
    embedded = json.dumps(data, indent=1, sort_keys=True).replace("<", "\\u003c")
    body = tag("main", *_front(data), *(_chapter(each) for each in data["chapters"]))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"{html(tag('title', f'{TITLE}: what was shown'))}\n<style>{_style()}</style>\n</head>\n<body>\n"
        f'{html(body)}\n<script type="application/json" id="{FORMAT}">{embedded}</script>\n</body>\n</html>\n'
    )


def _totals(data: Mapping[str, Any]) -> Counter[str]:
    told: Counter[str] = Counter()
    for chapter in data["chapters"]:
        guesses = [each for each in chapter["predictions"].values() if each["before"] and each["happened"]]
        told["chapters"] += bool(chapter["finished"])
        told["made"] += len(guesses)
        told["right"] += sum(each["predicted"] == each["happened"] for each in guesses)
        told["claims"] += len(chapter["claims"])
        told["exercises"] += sum(each["status"] == "correct" for each in chapter["exercises"].values())
    return told


def _front(data: Mapping[str, Any]) -> Iterator[Node]:
    told, whole = _totals(data), data["of"]
    verdicts = Counter(verdict for chapter in data["chapters"] for verdict in chapter["claims"].values())
    yield tag(
        "header",
        tag("p", TITLE, class_="course"),
        tag("h1", data["name"] or "What was shown"),
        tag(
            "p",
            f"Experiments run on real brokers: Apache Kafka {data['kafka']}, kafkalab {data['kafkalab']}. "
            f"As of {data['made_on']}.",
        ),
        tag("p", SELF_REPORTED, class_="notice"),
    )
    yield tag(
        "ul",
        _tile(told["chapters"], whole["chapters"], "chapters finished", ""),
        _tile(
            told["claims"],
            whole["claims"],
            "claims seen",
            ", ".join(f"{n} {v}" for v, n in _in_order(verdicts)),
        ),
        _tile(told["exercises"], whole["exercises"], "exercises passed", "judged by the cluster"),
        _tile(told["right"], told["made"], "predictions right", "made before looking"),
        class_="tiles",
    )
    yield _overview(data["chapters"])


def _in_order(verdicts: Counter[str]) -> list[tuple[str, int]]:
    return [(verdict, verdicts[verdict]) for verdict in MARKS if verdicts[verdict]]


def _tile(number: int, whole: int, what: str, note: str) -> Node:
    return tag(
        "li",
        tag("strong", str(number)),
        tag("span", f" of {whole}"),
        tag("b", what),
        tag("small", note) if note else None,
    )


def _overview(chapters: Sequence[Mapping[str, Any]]) -> Node:
    names = ("Chapter", "Finished", "Claims seen", "Exercises passed", "Predictions right")
    body = [tag("tr", tag("th", *first, scope="row"), *rest) for first, *rest in map(_overview_row, chapters)]
    head = tag("tr", *(tag("th", name, scope="col") for name in names))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="overview")


def _overview_row(chapter: Mapping[str, Any]) -> tuple[Any, ...]:
    told = _totals({"chapters": [chapter]})
    return (
        [f"{chapter['chapter']} {chapter['title']}"],
        tag("td", "✓ yes" if chapter["finished"] else "not yet"),
        tag("td", *_bar(told["claims"], chapter["of"]["claims"])),
        tag("td", *_bar(told["exercises"], chapter["of"]["exercises"])),
        tag("td", f"{told['right']} of {told['made']}" if told["made"] else "-"),
    )


def _bar(number: int, whole: int) -> tuple[Child, ...]:
    """Return a bar for the eye; the words beside it say the same."""
    if not whole:
        return ("-",)
    filled = tag("i", style=f"width:{100 * number / max(whole, 1):.0f}%")
    return tag("span", filled, class_="bar", aria_hidden="true"), f"{number} of {whole}"


def _chapter(chapter: Mapping[str, Any]) -> Node:
    known = claims.load()
    section = tag("section", tag("h2", f"{chapter['chapter']} {chapter['title']}"))
    if seen := [(known[name], verdict) for name, verdict in chapter["claims"].items() if name in known]:
        rows = [
            tag("li", _chip(verdict), tag("q", claim.belief), f" {claim.fact}") for claim, verdict in seen
        ]
        extend(section, [tag("h3", "Claims seen"), tag("ul", *rows, class_="plain")])
    if guesses := chapter["predictions"].values():
        extend(section, [tag("h3", "Predictions"), tag("ul", *map(_guess, guesses), class_="plain")])
    if tried := chapter["exercises"].items():
        rows = [tag("li", f"{name}: {_outcome(each)}") for name, each in tried]
        extend(section, [tag("h3", "Exercises"), tag("ul", *rows, class_="plain")])
    return section


def _chip(verdict: str) -> Node:
    return tag("span", f"{MARKS[verdict]} {verdict}", class_=f"chip {KINDS[verdict]}")


def _guess(guess: Mapping[str, Any]) -> Node:
    predicted, happened = guess["predicted"], guess["happened"]
    if not guess["before"]:
        judged = f"chosen after looking: “{predicted}”."
    elif happened is None:
        judged = f"predicted “{predicted}”; not tried yet."
    elif predicted == happened:
        judged = f"predicted “{predicted}”, and it was so."
    else:
        judged = f"predicted “{predicted}”; it was “{happened}”."
    return tag("li", tag("em", guess["question"]), f" {judged[0].upper()}{judged[1:]}")


def _outcome(tried: Mapping[str, Any]) -> str:
    if tried["status"] != "correct":
        return "tried"
    return f"✓ passed on {tried['passed_on']}" if tried["passed_on"] else "✓ passed"


def _style() -> str:
    light, dark = ("".join(f"--{name}:{pair[each]};" for name, pair in COLOURS.items()) for each in (0, 1))
    chips = "".join(
        f".{kind}{{color:var(--{kind});background:var(--{kind}-wash)}}" for kind in KINDS.values()
    )
    return (
        f":root{{{light}color-scheme:light dark}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{_RULES}{chips}"
    )


_RULES = (
    "body{font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;margin:0;"
    "padding:2.5em 1em;color:var(--ink);background:var(--ground)}main{max-width:54em;margin:auto}"
    "header{border:1.5px solid var(--broker);border-top:8px solid var(--record);border-radius:10px;"
    "padding:1.4em 1.8em 1.2em}header p{margin:.3em 0}.course{color:var(--record);font-weight:600}"
    "h1{font-size:2.3em;line-height:1.2;margin:.1em 0 .2em;overflow-wrap:anywhere}"
    ".notice{color:var(--muted);font-size:.88em;border-top:1px solid var(--rule);padding-top:.7em;"
    "margin-top:.9em!important}"
    ".tiles{list-style:none;display:grid;grid-template-columns:repeat(auto-fit,minmax(11em,1fr));gap:.8em;"
    "padding:0;margin:1.2em 0}.tiles li{background:var(--lane);border-radius:10px;padding:.8em 1em}"
    ".tiles strong{font-size:2em;line-height:1.2}.tiles b{display:block}"
    ".tiles span,small{color:var(--muted)}small{display:block;font-size:.85em}"
    ".overview{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.94em}"
    "th,td{text-align:left;padding:.35em .6em;border-bottom:1px solid var(--rule);font-weight:400}"
    "thead th{color:var(--muted)}tbody th{font-weight:600}"
    ".bar{display:inline-block;width:4.5em;height:.6em;border-radius:.3em;background:var(--broker-wash);"
    "margin-right:.6em;overflow:hidden}.bar i{display:block;height:100%;background:var(--answer)}"
    "h2{font-size:1.2em;margin:2em 0 .2em;border-bottom:1px solid var(--rule)}"
    "h3{font-size:.94em;margin:.9em 0 .2em;color:var(--muted)}"
    ".plain{list-style:none;margin:0;padding:0}.plain li{margin:.35em 0}"
    ".chip{display:inline-block;border-radius:1em;padding:0 .6em;margin-right:.6em;font-size:.85em;"
    "font-weight:600;white-space:nowrap}q{font-style:italic}"
    "@page{margin:16mm}@media print{body{padding:0;font-size:10.5pt;print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}main{max-width:none}h2,h3{break-after:avoid}"
    "tr,li,header{break-inside:avoid}.overview{break-after:page}}"
)
