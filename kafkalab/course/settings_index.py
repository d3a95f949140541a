"""Appendix A1: which setting is met in which chapter, found in the notebooks themselves.

A chapter uses a setting if a code cell names it (keyword, dictionary key, attribute), and mentions it if its
prose does, in code style. Rows are the settings that some chapter knows; their meaning is what the producer's
`config.py` says. Leaves out: settings of consumers.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kafkalab.course import chapters, normalise, workcopy
from kafkalab.course.claims_table import table
from kafkalab.course.normalise import code_cells
from kafkalab.producer import config

HEAD = """# A1 · Settings

Every setting that the course meets, and where: **bold** where a cell uses it, plain where it is only
mentioned. Names are Kafka's; in this course's producer, dots are underscores (`partitioner.class` is
`partitioner`, `interceptor.classes` is `interceptors`).

Other appendices: [A2 Glossary](A2_glossary.ipynb). Start: [00 Start here](00_start_here.ipynb).
"""
DOCUMENTATION = "https://kafka.apache.org/documentation/"
JAVA = {"partitioner": "partitioner.class", "interceptors": "interceptor.classes"}
"""Kafka's names, where ours are others."""
OF_TOPICS = {
    "cleanup.policy": "Delete old records, or keep the last one of each key.",
    "compression.type": "What the broker stores: `producer` is what it got.",
    "max.message.bytes": "Largest batch that the broker takes.",
    "message.timestamp.type": "Whose clock: CreateTime is the producer's, LogAppendTime the broker's.",
    "min.insync.replicas": "Below this many in-sync replicas, acks=all is refused.",
    "retention.ms": "How long records are kept.",
    "unclean.leader.election.enable": "Whether a replica that misses records may lead.",
}
OF_BROKERS = {
    "broker.session.timeout.ms": "A broker that is silent for this long is taken for dead.",
    "default.replication.factor": "Copies of a topic that is made without saying how many.",
    "producer.id.expiration.ms": "How long the broker remembers an idle producer's sequence numbers.",
    "replica.fetch.wait.max.ms": "How long a follower's empty fetch waits at the leader.",
    "replica.lag.time.max.ms": "A follower that is behind for this long leaves the ISR.",
}
_TOKEN = re.compile(r"[a-z]+(?:[._][a-z]+)*")
_DOTTED = re.compile(r"[a-z]+(?:\.[a-z]+)+")
_IN_CODE_STYLE = re.compile(r"`([^`\n]+)`|#\w+configs_([a-z._]+)")


def text(notebooks: Mapping[str, Any] | None = None) -> str:
    """Return the appendix as a notebook's file; `notebooks` are the chapters by number."""
    found = _chapters() if notebooks is None else notebooks
    used = {number: set(in_code(notebook)) for number, notebook in found.items()}
    told = {number: set(in_prose(notebook)) for number, notebook in found.items()}

    def rows(settings: Mapping[str, tuple[str, ...]], anchor: str) -> Iterator[tuple[str, ...]]:
        for name, columns in settings.items():
            places = [_place(n, name in used[n]) for n in found if name in used[n] | told[n]]
            if places:
                yield (f"[`{name}`]({DOCUMENTATION}#{anchor}_{name})", *columns, ", ".join(places))

    ours = {JAVA.get(name, name.replace("_", ".")): columns for name, columns in _settings().items()}
    producers = table(("Setting", "Default here", "What it is", "Chapters"), rows(ours, "producerconfigs"))
    topics = table(("Setting", "What it is", "Chapters"), rows(_described(OF_TOPICS), "topicconfigs"))
    brokers = table(("Setting", "What it is", "Chapters"), rows(_described(OF_BROKERS), "brokerconfigs"))
    prose = f"{HEAD}\n## Producer\n\n{producers}\n\n## Topic\n\n{topics}\n\n## Broker\n\n{brokers}\n"
    return normalise.of_prose(prose)


def in_code(notebook: Any) -> Iterator[str]:
    """Yield the settings, by Kafka's names, that code cells use."""
    for cell in code_cells(notebook):
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(cell.source)):
                yield from (found for name in _names(node) if (found := known(name)))


def _names(node: ast.AST) -> Iterator[str]:
    """Yield what may name a setting: keyword, key of a dict, `config.name`, a text with _ or dots."""
    match node:
        case ast.Call(func=ast.Name(id=callee)) if callee.endswith("Request"):
            return  # its keywords are fields of the protocol, called like the settings
        case ast.Call(keywords=keywords):
            yield from (keyword.arg for keyword in keywords if keyword.arg)
        case ast.Dict(keys=keys):
            yield from (
                key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
            )
        case ast.Attribute(value=ast.Attribute(attr="config") | ast.Name(id="config"), attr=name):
            yield name
        case ast.Constant(value=str(name)) if "_" in name or "." in name:
            yield name


def in_prose(notebook: Any) -> Iterator[str]:
    """Yield the settings, by Kafka's names, that prose writes in code style or links to."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for code, anchor in _IN_CODE_STYLE.findall(cell.source):
                names = [anchor, *_TOKEN.findall(code)]
                yield from (found for name in names if (found := known(name)))


def unlinked(notebook: Any) -> list[str]:
    """Return the settings that prose names with dots, as Kafka does, and links to nowhere."""
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    named = {name for code in _IN_CODE_STYLE.findall(prose) for name in _DOTTED.findall(code[0])}
    return sorted(name for name in named if known(name) and f"configs_{name})" not in prose)


def known(name: str) -> str | None:
    """Return Kafka's name of a setting, given with dots or underscores; None if the course has no such."""
    ours = name.replace(".", "_")
    if ours in _settings():
        return JAVA.get(ours, ours.replace("_", "."))
    if name in JAVA.values() or name in OF_TOPICS or name in OF_BROKERS:
        return name
    return None


@functools.cache
def _settings() -> dict[str, tuple[str, ...]]:
    meant = meanings()
    return {
        each.name: (_default(each), meant[each.name].partition("\n")[0])
        for each in dataclasses.fields(config.ProducerConfig)
    }


def meanings() -> dict[str, str]:
    """Return the sentence that stands under each field of ProducerConfig."""
    (body,) = ast.parse(inspect.getsource(config.ProducerConfig)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = str(ast.literal_eval(below.value))
    return found


def _default(each: dataclasses.Field[Any]) -> str:
    value = each.default
    return f"`{getattr(value, '__name__', value)!s}`" if value != "" else "none"


def _described(settings: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: (meaning,) for name, meaning in settings.items()}


def _place(number: str, used: bool) -> str:
    link = f"[{number}]({chapters.find(number).notebook})"
    return f"**{link}**" if used else link


def _chapters() -> dict[str, Any]:
    folder = workcopy.source()
    return {entry.number: normalise.read(folder / entry.notebook) for entry in chapters.CHAPTERS}
