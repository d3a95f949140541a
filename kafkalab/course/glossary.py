"""Appendix A2: the course's words, one meaning each, with the chapter that shows it (glossary.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from kafkalab.course import chapters, normalise
from kafkalab.course.claims_table import table

HEAD = """# A2 · Glossary

The course's words, one meaning each, and the chapter that shows it.

Other appendices: [A1 Settings](A1_settings.ipynb). Start: [00 Start here](00_start_here.ipynb).

"""


@dataclass(frozen=True)
class Term:
    """One word: what it `means`, and the chapter that shows it."""

    name: str
    means: str
    chapter: str


def load() -> list[Term]:
    """Return the terms in the file's order."""
    text = resources.files("kafkalab.course").joinpath("glossary.toml").read_text(encoding="utf-8")
    return [Term(name, **fields) for name, fields in tomllib.loads(text).items()]


def text(terms: list[Term] | None = None, files: Mapping[str, str] | None = None) -> str:
    """Return the appendix as a notebook's file; `files` are the notebooks of the chapters that exist."""
    files = {entry.number: entry.notebook for entry in chapters.CHAPTERS} if files is None else files
    links = {number: f"[{number}]({file})" for number, file in files.items()}
    rows = [
        (f"**{term.name}**", term.means, links.get(term.chapter, term.chapter))
        for term in (load() if terms is None else terms)
    ]
    return normalise.of_prose(HEAD + table(("Word", "Meaning", "Chapter"), rows))
