from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from typer import Typer
from typer.testing import CliRunner

from kafkalab.course import claims, hygiene, normalise

from .conftest import notebook


def output(text: str, name: str = "stdout") -> Any:
    return nbformat.v4.new_output("stream", name=name, text=text)


def display(**data: str) -> Any:
    return nbformat.v4.new_output("display_data", data=data)


def error() -> Any:
    return nbformat.v4.new_output("error", ename="KeyError", evalue="'x'", traceback=[])


LONG = "\n".join(f"a{n} = {n}" for n in range(10))
WORDS = ("md", "word " * 121)
BAD = {
    "not executed": (notebook("1 + 1", executed=False), "execution count None, expected 1"),
    "an error": (notebook(("out", ("x", [error()]))), "shows an error (KeyError)"),
    "stderr": (notebook(("out", ("x", [output("careful", "stderr")]))), "writes to stderr"),
    "a path": (notebook(("out", ("x", [output("see /home/ann/log")]))), "an absolute path"),
    "a Windows path": (notebook(("out", ("x", [output(r"C:\Users\ann")]))), "an absolute path"),
    "a port": (notebook(("out", ("x", [output("127.0.0.1:9092")]))), "a network address"),
    "an address": (notebook(("out", ("x", [output("<object at 0x7f12ab>")]))), "a memory address"),
    "a bare widget": (
        notebook(("out", ("x", [display(**{normalise.WIDGET_VIEW: "id", "text/plain": "w"})]))),
        "no static form",
    ),
    "a long cell": (notebook(LONG), "10 code lines, at most 9"),
    "an empty cell": (notebook("x = 1", ""), "code cell 2 is empty"),
    "long prose": (notebook("x = 1", WORDS, "y = 1"), "121 words before code cell 2"),
    "a dead link": (
        notebook(("md", "[next](09_nowhere.ipynb#top)")),
        "'09_nowhere.ipynb', which does not exist",
    ),
    "a dead link in an output": (
        notebook(("out", ("x", [display(**{"text/html": '<a href="gone.ipynb">x</a>'})]))),
        "'gone.ipynb', which does not exist",
    ),
    "a topic made twice": (
        notebook('lab.topic("t")', 'lab.topic("t", partitions=3)'),
        "topic 't' is made in",
    ),
}


def write(folder: Path, built: Any, name: str = "demo.ipynb") -> Path:
    path = folder / name
    normalise.write(normalise.normalise(built), path)
    return path


@pytest.mark.parametrize("case", BAD)
def test_a_breach_is_found_and_named(case: str, tmp_path: Path) -> None:
    built, message = BAD[case]
    found = hygiene.problems([write(tmp_path, built)])
    assert len(found) == 1, found
    assert message in found[0]
    assert "demo.ipynb" in found[0]


def test_a_notebook_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    tagged = notebook("x = 1", ("md", "word " * 118 + "[self](demo.ipynb) `lab`"), LONG)
    tagged.cells[2].metadata.tags = ["long-cell"]
    html = '<a href="demo.ipynb">x</a><img src="data:image/svg+xml;base64,L2hvbWUvYW5uL2E="/>'
    tagged.cells[0].outputs = [display(**{"text/html": html})]
    assert hygiene.problems([write(tmp_path, tagged)]) == []


def test_a_notebook_as_an_editor_left_it_is_not_normalised(tmp_path: Path) -> None:
    path = tmp_path / "demo.ipynb"
    path.write_text(nbformat.writes(notebook("x = 1")), encoding="utf-8")
    assert hygiene.problems([path]) == ["demo.ipynb is not normalised: make notebooks"]


def test_a_chapter_outside_the_table_is_found(tmp_path: Path) -> None:
    found = hygiene.problems([write(tmp_path, notebook("x = 1"), "77_unknown.ipynb")])
    assert "77_unknown.ipynb is not in the table of chapters" in found[0]


def test_topics_are_unique_over_chapters(tmp_path: Path) -> None:
    paths = [write(tmp_path, notebook('lab.topic("t")'), name) for name in ("a.ipynb", "b.ipynb")]
    assert hygiene.problems(paths) == [
        "topic 't' is made in a.ipynb code cell 1 and b.ipynb code cell 1: give each its own name"
    ]


def test_an_observation_without_evidence_is_found(tmp_path: Path) -> None:
    told = 'lab.observe("who", correct="all", because="x")'
    shown = 'lab.observe("who", correct="all", shown=n == 3, because="x")'
    computed = 'lab.observe("who", correct=who, because="x")'
    assert [hygiene.told_not_shown(cell) for cell in (told, shown, computed)] == [["who"], [], []]
    name = "02_workflow.ipynb"
    found = hygiene.problems([write(tmp_path, notebook(told), name)])
    assert any("code cell 1: what happened to prediction 'who' is told, not shown" in each for each in found)


def test_a_setting_that_a_chapter_links_nowhere_is_found(tmp_path: Path) -> None:
    written = write(tmp_path, notebook(("md", "Set `linger.ms`.")), "02_workflow.ipynb")
    assert any(
        "02_workflow.ipynb: `linger.ms` is nowhere linked" in each for each in hygiene.problems([written])
    )


def test_command_says_what_is_wrong_and_fails(tmp_path: Path) -> None:
    app = Typer()
    app.command()(hygiene.main)
    good, bad = write(tmp_path, notebook("x = 1")), write(tmp_path, notebook(LONG), "long.ipynb")
    assert CliRunner().invoke(app, [str(good)]).exit_code == 0
    result = CliRunner().invoke(app, [str(bad)])
    assert result.exit_code == 1
    assert "long.ipynb: code cell 1 has 10 code lines" in result.output


def test_a_folder_without_notebooks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There are no notebooks in"):
        hygiene.notebooks_in([tmp_path])


TOML = """
[one]
section = "4.1"
belief = "b"
fact = "f"
verdict = "true"
chapter = "01"
subject = "client"
"""


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"01": ['lab.claim("one", True)']}, []),
        ({}, []),
        ({"00": ["x = 1"]}, []),
        ({"01": ["x = 1"]}, ["claim one: executed nowhere, expected exactly one cell of chapter 01"]),
        (
            {"01": ['lab.claim("one", 1)'], "02": ['lab.claim("one", 1)']},
            ["claim one: executed in chapter 01, 02, expected exactly one cell of chapter 01"],
        ),
        (
            {"00": ["lab.claim(name, True)", "%time not python"]},
            ["chapter 00: claim '?' is not in claims.toml (ids are literals)"],
        ),
    ],
)
def test_claims_are_executed_by_exactly_one_cell(cells: dict[str, list[str]], expected: list[str]) -> None:
    assert claims.problems(cells, claims.parse(TOML)) == expected


def test_a_claim_with_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Claim 'one': verdict is 'maybe', expected one of true"):
        claims.parse(TOML.replace('"true"', '"maybe"'))


def test_the_committed_claims_load_and_belong_to_the_course() -> None:
    chapters = [claim.chapter for claim in claims.load().values()]
    assert set(chapters) == {f"{number:02}" for number in range(1, 13)}
    assert chapters == sorted(chapters)


def test_an_id_begins_with_its_section() -> None:
    for claim in claims.load().values():
        part, _, step = claim.section.partition(", step ")
        assert claim.id.startswith(f"{part}.{step}-" if step else part.split(",")[0] + "-")
