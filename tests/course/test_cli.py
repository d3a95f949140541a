from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kafkalab import cli
from kafkalab.course import clusters, normalise, run, workcopy
from kafkalab.course import lab as lab_module

from .conftest import notebook


def invoke(*args: str) -> Any:
    return CliRunner().invoke(cli.app, list(args))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def serve(argv: list[str]) -> None:
        seen.extend(argv)
        seen.append({name: os.environ.get(name) for name in ("KAFKALAB_CLUSTER", "JUPYTER_CONFIG_PATH")})

    monkeypatch.setattr(lab_module, "serve", serve)
    return seen


def test_new_writes_a_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    normalise.write(notebook("x = 1"), origin / "00.ipynb")
    monkeypatch.setattr(workcopy, "source", lambda: origin)
    result = invoke("new", str(tmp_path / "mine"))
    assert result.exit_code == 0
    assert "added 00.ipynb" in result.output


def test_lab_serves_the_copy_over_a_running_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, served: list[Any], fake_cluster: Any
) -> None:
    fake_cluster.directory = tmp_path / "cluster"
    monkeypatch.setattr(clusters, "running", lambda: fake_cluster)
    result = invoke("lab", "--dir", str(tmp_path / "copy"), "--no-browser", "--port=1")
    assert result.exit_code == 0, result.output
    assert f"--ServerApp.root_dir={tmp_path / 'copy'}" in served
    assert served[-3:-1] == ["--no-browser", "--port=1"]
    assert served[-1]["KAFKALAB_CLUSTER"] == str(tmp_path / "cluster")
    assert str(lab_module.CONFIG) in served[-1]["JUPYTER_CONFIG_PATH"]
    assert os.environ.get("KAFKALAB_CLUSTER") != str(tmp_path / "cluster")


def test_lab_opens_the_first_chapter_where_it_exists(tmp_path: Path) -> None:
    assert "--LabApp.default_url=/lab" in lab_module.arguments(tmp_path, [])
    (tmp_path / "00_start_here.ipynb").touch()
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in lab_module.arguments(tmp_path, [])


def test_run_reports_progress_and_the_cell_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "demo.ipynb"
    normalise.write(notebook("x = 1", "x / 0"), path)
    console = Console(record=True, width=120, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
    with console.file:
        assert not run.execute(path, "demo", console)
    text = console.export_text()
    assert "x / 0" in text
    assert "ZeroDivisionError: division by zero" in text


def test_run_says_when_all_went_well(tmp_path: Path) -> None:
    path = tmp_path / "demo.ipynb"
    normalise.write(notebook("x = 1", ("md", "text"), "x"), path)
    before = path.read_bytes()
    with open(os.devnull, "w", encoding="utf-8") as null:  # noqa: PTH123
        console = Console(record=True, width=120, file=null)
        assert run.execute(path, "demo", console)
    assert "Chapter demo: 2 cells in" in console.export_text()
    assert path.read_bytes() == before


def test_an_error_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["kafkalab", "run", "99"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "kafkalab: There is no chapter '99'; chapters are 00" in capsys.readouterr().err


COMMANDS = [each.name or each.callback.__name__ for each in cli.app.registered_commands if each.callback]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_and_is_named_on_top(command: str) -> None:
    assert invoke(command, "--help").exit_code == 0
    assert re.search(rf"\b{command}\b", (cli.__doc__ or "").splitlines()[0])


def test_new_without_solutions_says_so(tmp_path: Path) -> None:
    result = invoke("new", str(tmp_path / "mine"), "--without-solutions")
    assert result.exit_code == 0
    assert "exercise.solution() shows nothing in this copy" in result.output
    assert "shows nothing in this copy" in invoke("new", str(tmp_path / "mine")).output
    assert "shows nothing" not in invoke("new", str(tmp_path / "other")).output
    assert "shows nothing" not in invoke("new", str(tmp_path / "mine"), "--with-solutions").output


def test_progress_tells_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKALAB_PROGRESS", raising=False)
    invoke("new", str(tmp_path / "mine"))
    (tmp_path / "mine" / ".kafkalab" / "progress.json").write_text('{"02/done": true}')
    here = ("--dir", str(tmp_path / "mine"))
    result = invoke("progress", *here, "--export", str(tmp_path / "ann.html"), "--name", "Ann")
    assert result.exit_code == 0, result.output
    assert "02 Workflow" in result.output
    assert "Ann" in (tmp_path / "ann.html").read_text(encoding="utf-8")


def test_progress_replaces_no_other_page(tmp_path: Path) -> None:
    invoke("new", str(tmp_path / "mine"))
    here = ("--dir", str(tmp_path / "mine"))
    (tmp_path / "ann.html").write_text("my thesis")
    refused = invoke("progress", *here, "--export", str(tmp_path / "ann.html"))
    assert refused.exit_code == 1
    assert "holds something else" in refused.output
    assert (tmp_path / "ann.html").read_text() == "my thesis"


def test_progress_of_a_directory_that_is_no_copy_is_refused(tmp_path: Path) -> None:
    result = invoke("progress", "--dir", str(tmp_path))
    assert result.exit_code == 1
    assert f"{tmp_path} is no working copy" in result.output


def test_progress_tells_of_files_that_were_handed_in(tmp_path: Path) -> None:
    invoke("new", str(tmp_path / "mine"))
    (tmp_path / "mine" / ".kafkalab" / "progress.json").write_text('{"02/done": true}')
    pages = [str(tmp_path / f"{name}.html") for name in ("ann", "bob")]
    for page in pages:
        invoke("progress", "--dir", str(tmp_path / "mine"), "--export", page, "--name", Path(page).stem)
    told = invoke("progress", *pages)
    assert told.exit_code == 0
    assert [line.split()[:2] for line in told.output.splitlines()[2:]] == [["ann", "1"], ["bob", "1"]]
    for wrong in ("nobody.html", "mine/00_start_here.ipynb"):
        refused = invoke("progress", str(tmp_path / wrong))
        assert refused.exit_code == 1
        assert f"kafkalab: There is no file {tmp_path}" in refused.output or "is no summary" in refused.output
