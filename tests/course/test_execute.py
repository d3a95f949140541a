from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from kafkalab.course import clusters, execute, normalise

from .conftest import notebook

PREDICT = """
from kafkalab.course.predict import Prediction
Prediction("p", "Which?", ["a", "b"])
"""


@pytest.fixture(autouse=True)
def no_cluster_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_CLUSTER", "unused")


@pytest.fixture
def run() -> Any:
    app = Typer()
    app.command()(execute.main)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


def save(folder: Path, *cells: Any) -> Path:
    path = folder / "demo.ipynb"
    normalise.write(notebook(*cells), path)
    return path


def test_executing_twice_gives_equal_bytes(tmp_path: Path, run: Any) -> None:
    path = save(tmp_path, "print('one'); import os; print(os.environ['KAFKALAB_PROGRESS'])", PREDICT)
    assert run(tmp_path).exit_code == 0
    once = path.read_bytes()
    assert run(path).exit_code == 0
    assert path.read_bytes() == once
    assert b"widget-view" not in once
    assert b"off\\n" in once
    assert b"Predict: Which?" in once
    assert run(path, "--check").exit_code == 0


def test_what_each_notebook_took_is_summed_up(tmp_path: Path, run: Any) -> None:
    for name in ("one", "two"):
        normalise.write(notebook("x = 1"), tmp_path / f"{name}.ipynb")
    told = run(tmp_path).output
    assert "2 notebooks" in told
    assert [line.split()[1] for line in told.splitlines() if "%" in line] == ["one", "two"]


def test_check_shows_what_differs_and_writes_nothing(tmp_path: Path, run: Any) -> None:
    path = save(tmp_path, "print('one')")
    before = path.read_bytes()
    result = run(path, "--check")
    assert result.exit_code == 1
    assert "one" in result.output
    assert path.read_bytes() == before


def test_an_error_names_the_cell_and_leaves_the_file(tmp_path: Path, run: Any) -> None:
    path = save(tmp_path, "x = 1", "x / 0")
    before = path.read_bytes()
    result = run(path)
    assert result.exit_code == 1
    assert "this cell failed" in result.output
    assert "ZeroDivisionError: division by zero" in result.output
    assert path.read_bytes() == before


def test_shared_starts_a_cluster_where_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Owned:
        directory = tmp_path
        stopped = False

        def __enter__(self) -> Owned:
            return self

        def __exit__(self, *_: object) -> None:
            self.stopped = True

    owned = Owned()
    monkeypatch.delenv("KAFKALAB_CLUSTER")
    monkeypatch.delenv("KAFKALAB_BOOTSTRAP", raising=False)
    monkeypatch.setattr(clusters, "start", lambda: owned)
    with clusters.shared():
        assert os.environ["KAFKALAB_CLUSTER"] == str(tmp_path)
    assert "KAFKALAB_CLUSTER" not in os.environ
    assert owned.stopped


def test_streams_that_the_kernel_cut_are_joined() -> None:
    import nbformat

    parts = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    built = normalise.normalise(notebook(("out", ("x", parts))))
    assert [output.text for output in built.cells[0].outputs] == ["a\nb\n"]


def test_saving_keeps_what_a_learner_wrote() -> None:
    built = notebook(("md", "mine"), "x = 1")
    built.metadata["widgets"] = {"state": {}}
    built.cells[1].metadata.update(execution={"iopub": "t"}, mine=True)
    before = [(cell.id, cell.source) for cell in built.cells]
    normalise.tidy_for_saving(built)
    assert [(cell.id, cell.source) for cell in built.cells] == before
    assert built.cells[1].metadata == {"mine": True}
    assert "widgets" not in built.metadata
